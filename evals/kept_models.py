"""Frozen models that later splits predict from: the very bytes that were confirmed, or none."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..sandbox.files import freeze
from ..sandbox.runner import Artifact, GpuUse, Limits
from ..targets.errors import ArtifactError
from .rows import decode_gpu


@dataclass(frozen=True, slots=True)
class KeptModel:
    folder: Path
    sha256: str
    split: str
    """The split it was trained for; a run of the same split is the one that was cut off before its row was written."""
    device_seconds: float
    cpu_seconds: float
    """Of the training."""
    peak_memory_mb: float
    gpu: GpuUse | None = None


class KeptModels:
    """`<root>/<commit>-<seed>/` with `model/` and `kept.json`, put there in one rename: whole, or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, commit: str, seed: int, model: Path, kept: KeptModel) -> Path:
        """Moves the frozen folder `model` in and returns where it is now; one that is there already is replaced."""
        home, temporary = self._home(commit, seed), self._root / f".{uuid.uuid4().hex}"
        temporary.mkdir(parents=True)
        shutil.move(model, temporary / "model")
        body = asdict(kept) | {"folder": ""}
        (temporary / "kept.json").write_text(json.dumps(body), encoding="utf-8")
        if home.exists():
            shutil.rmtree(home)
        os.replace(temporary, home)
        return home / "model"

    def find(self, commit: str, seed: int, scratch: Path, limits: Limits) -> KeptModel | None:
        """A checked copy below `scratch` of the kept model; None when none was kept.

        Raises: ArtifactError when the bytes are not those that were kept.
        """
        home = self._home(commit, seed)
        if not home.exists():
            return None
        try:
            body = json.loads((home / "kept.json").read_bytes())
            kept = KeptModel(**{**body, "folder": scratch / "model", "gpu": decode_gpu(body.get("gpu"))})
            found = hash_of(freeze(home / "model", kept.folder, limits))
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError("the kept model cannot be read", found=str(error)) from error
        if found != kept.sha256:
            raise ArtifactError("the kept model has changed", wanted=kept.sha256[:12], found=found[:12])
        return kept

    def _home(self, commit: str, seed: int) -> Path:
        return self._root / f"{commit}-{seed}"


def hash_of(artifacts: Sequence[Artifact]) -> str:
    """One hash over names, sizes and bytes."""
    rows = sorted((a.path, a.size, a.sha256) for a in artifacts)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

"""Asks an oracle about a tree of sources, inside the sandbox: the tree is somebody else's code."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from branchlab.sandbox.backends import choose
from branchlab.sandbox.environments import find
from branchlab.sandbox.runner import Limits, RunRequest

LIMITS = Limits(wall_seconds=120, memory_mb=6000)
VERDICTS = ("defect", "sound")


class Oracles:
    def __init__(self, folder: Path, python: str | None, sandbox: str = "auto") -> None:
        """`python`: an interpreter that has what oracles/requirements.txt names."""
        self._folder = folder
        self._interpreter = find(python)
        self._runner = choose(sandbox)

    def ask(self, oracle: Path, sources: Mapping[str, bytes]) -> str:
        """ "defect", "sound", or one line that says why there is no verdict."""
        with tempfile.TemporaryDirectory() as name:
            tree, out = Path(name) / "tree", Path(name) / "out"
            write(tree, sources)
            out.mkdir()
            request = RunRequest(
                ("python", f"{{oracles}}/{oracle.name}", "{work}"),
                self._interpreter,
                tree,
                out,
                LIMITS,
                mounts={"oracles": self._folder},
            )
            result = self._runner.run(request)
        said = (result.log_tail or result.log_head).strip().splitlines()[-1:] or ["nothing"]
        if result.status != "ok":
            return f"no verdict: {result.reason or result.status}: {said[0][:200]}"
        return said[0] if said[0] in VERDICTS else f"no verdict: {said[0][:200]}"


def write(folder: Path, sources: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in sources.items():
        target = (folder / path).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise ValueError(f"{path!r} leaves the folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

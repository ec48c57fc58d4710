"""Answers kept by the content hash of what was asked, so that a run can be repeated without a key."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ...targets.errors import ModelError, UsageError
from .base import Completion, Model, ModelRequest


def key_of(request: ModelRequest) -> str:
    """SHA-256 of the canonical request, sampling and seed included."""
    return hashlib.sha256(json.dumps(asdict(request), sort_keys=True).encode()).hexdigest()


class Replay:
    """Answers from a cassette: JSON lines of {key, completion}. A request that is not in it is an error, never a call."""

    def __init__(self, path: Path) -> None:
        self.name = f"replay:{path}"
        self._answers: dict[str, Completion] = {}
        number = 0
        try:
            for line in path.read_text(encoding="utf-8").splitlines():
                number += 1
                row = json.loads(line)
                self._answers[row["key"]] = Completion(**row["completion"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError("the cassette cannot be read", where=f"{path}:{number}", found=str(error)) from error

    def complete(self, request: ModelRequest) -> Completion:
        key = key_of(request)
        if key not in self._answers:
            raise ModelError(
                "the cassette has no answer to this request", where=self.name, found=key[:12],
                fix="repeat the run it was recorded from, or record again with a live model",
            )  # fmt: skip
        return self._answers[key]


def answers_in(path: Path) -> list[tuple[str, Completion]]:
    """Key and answer of every request recorded so far, oldest first; a line that a full disk cut short is taken away."""
    if not path.exists():
        return []
    whole, _, rest = path.read_bytes().rpartition(b"\n")
    if rest:
        os.truncate(path, len(whole) + 1 if whole else 0)
    rows = map(json.loads, whole.splitlines())
    return [(row["key"], Completion(**row["completion"])) for row in rows]


class Remembering:
    """Answers what was answered before from memory, so that a resumed run neither asks nor pays twice."""

    def __init__(self, model: Model, answers: Mapping[str, Completion]) -> None:
        self.name = model.name
        self._model = model
        self._answers = dict(answers)

    def complete(self, request: ModelRequest) -> Completion:
        return self._answers.get(key_of(request)) or self._model.complete(request)


class Recording:
    """A model whose answers are also written to a cassette as they come."""

    def __init__(self, model: Model, path: Path) -> None:
        self.name = model.name
        self._model = model
        self._path = path

    def complete(self, request: ModelRequest) -> Completion:
        completion = self._model.complete(request)
        row = {"key": key_of(request), "completion": asdict(completion)}
        with self._path.open("ab", buffering=0) as file:  # one write: a killed run leaves no half line
            file.write(json.dumps(row, sort_keys=True).encode() + b"\n")
        return completion

"""A model whose answers were written beforehand, given in order: for tests and demonstrations."""

import json
from collections.abc import Sequence
from pathlib import Path

from ...targets.errors import ModelError, UsageError
from .base import Completion, ModelRequest

NOTHING = "{}"
"""The answer where the script's next one is meant for another question."""


class Scripted:
    """Answers with the texts it was given, then raises ModelError. `requests` keeps what it was asked.

    An answer that is an object waits for a request whose schema has its keys; until then the answer is `{}`, unless there
    is none left.
    """

    def __init__(self, answers: Sequence[str], name: str = "scripted") -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._answers = list(answers)
        self._given = 0

    @classmethod
    def read(cls, path: Path, given: int = 0) -> "Scripted":
        """From a JSON file: a list of answers, each a string or a value that is answered as JSON. The first `given` are
        left out."""
        try:
            answers = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError("the script of answers cannot be read", where=str(path), found=str(error)) from error
        if not isinstance(answers, list):
            raise UsageError("a script is a list of answers", where=str(path), found=type(answers).__name__)
        return cls([a if isinstance(a, str) else json.dumps(a) for a in answers[given:]], f"scripted:{path}")

    def complete(self, request: ModelRequest) -> Completion:
        self.requests.append(request)
        if self._given >= len(self._answers):
            raise ModelError(f"{self.name} has no answer left", found=f"{len(self._answers)} answers, all given")
        text = self._answers[self._given]
        if _is_for(text, request):
            self._given += 1
        else:
            text = NOTHING
        asked = sum(len(message.content) for message in request.messages)
        return Completion(text, asked // 4, len(text) // 4, 0.0, self.name)


def _is_for(text: str, request: ModelRequest) -> bool:
    """Whether an answer's keys are those of the schema; text that is no object, and no schema, are for anybody."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return True
    known = (request.schema or {}).get("properties", {})
    return not (isinstance(answer, dict) and answer and known) or bool(answer.keys() & known.keys())

"""Every changed Python file is readable and differs in more than comments and white space."""

import ast
from dataclasses import dataclass

from ...evals.trial import Verdict
from ...targets.target import Target
from ..readable import UnreadableError, parse
from .base import Change


@dataclass(frozen=True, slots=True)
class Parses:
    name: str = "parses"

    def judge(self, target: Target, change: Change) -> Verdict:
        meaningful = False
        for file, data in sorted(change.after.items()):
            if data is None or not file.endswith(".py"):
                meaningful = True
                continue
            try:
                after = ast.dump(parse(data)[1])
            except UnreadableError as error:
                return Verdict(self.name, False, f"{file}: {error}")
            meaningful = meaningful or after != _dump(change.before.get(file))
        return Verdict(self.name, meaningful, "" if meaningful else "only comments or white space changed")


def _dump(data: bytes | None) -> str:
    try:
        return ast.dump(parse(data)[1]) if data is not None else ""
    except UnreadableError:
        return ""

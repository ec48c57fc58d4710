"""A candidate changes editable files only; what is protected, or steers the interpreter, stays as it is."""

from dataclasses import dataclass

from ...evals.trial import Verdict
from ...targets.scope import matches
from ...targets.target import ALWAYS_PROTECTED, Target
from .base import Change


@dataclass(frozen=True, slots=True)
class InScope:
    name: str = "in_scope"

    def judge(self, target: Target, change: Change) -> Verdict:
        for file in sorted(change.after):
            for globs, what in ((target.protected, "protected"), (ALWAYS_PROTECTED, "protected in every target")):
                if matches(file, globs):
                    return Verdict(self.name, False, f"{file} is {what}")
            if not matches(file, target.editable):
                return Verdict(self.name, False, f"{file} is not editable; editable are {', '.join(target.editable)}")
        return Verdict(self.name, True, "")

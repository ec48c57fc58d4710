"""Only editable files change; protected ones, and those that steer interpreter, tests or build, never."""

from pathlib import PurePosixPath

from ...evals.trial import Verdict
from ...targets.scope import matches
from ...targets.target import ALWAYS_PROTECTED, Target
from .base import Change


class InScope:
    name = "in_scope"

    def judge(self, target: Target, change: Change) -> Verdict:
        changed = sorted(file for file in change.after if change.after[file] != change.before.get(file))
        for file in changed:
            if reason := _refusal(target, file):
                return Verdict(self.name, False, f"{file}: {reason}")
        if not changed:
            return Verdict(self.name, False, "no file changes")
        return Verdict(self.name, True, f"{len(changed)} changed files are editable")


def _refusal(target: Target, file: str) -> str:
    path = PurePosixPath(file)
    if (
        not file
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in file
        or str(path) != file
        or not file.isprintable()
    ):
        return "not a plain path inside the repository"
    if ".git" in (part.lower() for part in path.parts):
        return "belongs to git"
    if file in target.dependency_files:
        allowed = target.environment.allow_dependency_changes
        return (
            "" if allowed else "says what is installed; environment.allow_dependency_changes lets candidates change it"
        )
    if matches(file, ALWAYS_PROTECTED):
        return "steers the interpreter, the tests or the build; no candidate may change it"
    if matches(file, target.protected):
        return "protected by target.toml"
    if matches(file, target.hidden):
        return "hidden from candidates by target.toml"
    return "" if matches(file, target.editable) else "not editable by target.toml"

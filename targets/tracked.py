"""Whether a path is a file of a repository: something its authors wrote, and not the user who stands in it."""

import os
from pathlib import Path

from .errors import TargetError
from .hardened_git import git
from .user_repository import UserRepository


def tracked(path: Path) -> str:
    """The first file at or below `path` that a repository around it has in its index; empty when there is none.

    Links on the way are not resolved: a link that was committed is a file of the repository itself.
    """
    place = Path(os.path.abspath(path))
    for parent in place.parents:
        try:
            repository = UserRepository.at(parent) if (parent / ".git").exists() else None
        except TargetError:
            repository = None  # something called .git that git does not take for one either
        if repository is None:
            continue
        asked = ("-C", str(parent), "ls-files", "-z", "--", str(place.relative_to(parent)))
        if listed := git(repository.git_dir.resolve(), *asked, env={"GIT_WORK_TREE": str(parent)}):
            return listed.split(b"\0")[0].decode("utf-8", "replace")
    return ""

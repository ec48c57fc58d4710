"""The example targets of the package: their code is copied out and committed, to become an ordinary user's repository."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .clones import locked
from .errors import TargetError
from .hardened_git import git
from .target import Target

PACKAGE = Path(__file__).parent
DATE = "2025-01-01T00:00:00+0000"
"""Author and date are fixed, so that the first commit has the same id on every machine."""


def is_shipped(target: Target) -> bool:
    """Whether the target lies in the package, with code that is no repository of its own."""
    return target.home.parent == PACKAGE.resolve() and not (target.home / target.repo / ".git").exists()


def repository_of(target: Target, home: Path) -> Path:
    """The repository made of a shipped target's code, below `home`; what a user did in it stays.

    When a newer package ships other code, it gets a folder of its own beside the old one.
    """
    source = target.home / target.repo
    digest = _digest(source)
    parent = home / "targets" / target.name
    parent.mkdir(parents=True, exist_ok=True)
    with locked(parent / "repo"):
        for name in ("repo", f"repo-{digest[:8]}"):
            place = parent / name
            if not place.exists():
                _make(source, place, digest)
            marker = place / ".git" / "branchlab-shipped"
            if marker.is_file() and marker.read_text() == digest:
                return place
    raise TargetError("not a repository made from this target", where=str(place), fix="move this folder away")


def _make(source: Path, place: Path, digest: str) -> None:
    """Builds the repository aside and moves it into place: nobody ever sees half of it."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as folder:
        new = Path(folder) / "repo"
        for path in _files(source):
            copy = new / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, copy)
        dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE, "GIT_WORK_TREE": str(new)}
        git_dir = new / ".git"
        git(None, "init", "--quiet", "--template=", "--initial-branch=main", str(new))
        git(git_dir, "add", "--all", "--force", ".", env=dates)
        git(git_dir, "commit", "--quiet", "-m", "Start of the project", env=dates)
        (git_dir / "branchlab-shipped").write_text(digest)
        os.rename(new, place)


def _digest(source: Path) -> str:
    state = hashlib.sha256()
    for path in _files(source):
        data = (source / path).read_bytes()
        state.update(f"{path}\0{len(data)}\0".encode() + data)
    return state.hexdigest()


def _files(source: Path) -> Iterator[Path]:
    """Regular files below a folder, sorted, without what an installer or an import left there."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        left_over = "__pycache__" in inside.parts or path.suffix == ".pyc"
        if path.is_file() and not path.is_symlink() and not left_over:
            yield inside

"""The user's own repository: looked at, copied from, and at promotion given one branch. Nothing of it is ever run."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import TargetError
from .hardened_git import GitFailed, git, send_objects

INIT = "git init && git add -A && git commit -m start"
EMPTY_REF = "0" * 40


@dataclass(frozen=True, slots=True)
class UserRepository:
    path: Path
    git_dir: Path
    work_tree: Path | None
    """None for a bare repository."""

    @classmethod
    def at(cls, path: Path) -> "UserRepository":
        """The repository whose top folder, or bare git directory, is `path`.

        Raises: TargetError when there is none, or when `path` is only a folder inside one.
        """
        path = path.resolve()
        if not path.is_dir():
            raise TargetError("no such folder", wanted="a git repository", where=str(path))
        # Before a bare one: a commit may hold HEAD, objects and refs at its top, and so hide the real repository.
        if (path / ".git").is_dir() and _is_git_dir(path / ".git"):
            return cls(path, path / ".git", path)
        if (path / ".git").is_file():
            return cls(path, _linked(path / ".git"), path)
        if not os.path.lexists(path / ".git") and _is_git_dir(path):
            return cls(path, path, None)
        for parent in path.parents:
            if (parent / ".git").exists():
                raise TargetError(
                    "only a folder inside a repository", wanted="its top folder", found=str(parent), where=str(path)
                )
        raise TargetError("not a git repository", where=str(path), fix=f"cd {path} && {INIT}")

    @property
    def common_dir(self) -> Path:
        """Where objects and branches are: another place than git_dir for a linked work tree."""
        pointer = self.git_dir / "commondir"
        return (self.git_dir / pointer.read_text().strip()).resolve() if pointer.is_file() else self.git_dir

    @property
    def shallow(self) -> Path:
        """The file that lists commits whose parents are not here; missing for a full clone."""
        return self.common_dir / "shallow"

    def resolve(self, name: str) -> str | None:
        """The commit a branch, tag or (short) id names; None when there is none."""
        if not name or name.startswith("-") or not name.isprintable():
            return None
        try:
            found = git(self.git_dir, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()
        except GitFailed as error:
            if error.reason != "no message" and "expected commit type" not in error.reason:
                raise TargetError(f"git cannot resolve {name}", found=error.reason, where=str(self.path)) from None
            return None
        if not re.fullmatch("[0-9a-f]{40}", found):
            raise TargetError("not a SHA-1 repository", wanted="40 hex digits", found=found, where=str(self.path))
        return found

    def head(self) -> str | None:
        """The commit that is checked out; None before the first one."""
        return self.resolve("HEAD")

    def has(self, commits: list[str]) -> list[str]:
        """Those of the commits that are in this repository."""
        if not commits:
            return []
        asked = "".join(f"{commit}\n" for commit in commits).encode()
        answers = git(self.git_dir, "cat-file", "--batch-check", stdin=asked).decode().splitlines()
        return [line.split()[0] for line in answers if line.split()[1:2] == ["commit"]]

    def send(self, commit: str, clone: Path, known: list[str]) -> None:
        """Copies a commit with its history into our clone. Raises: TargetError when objects of it are missing."""
        cut = clone / "shallow"
        if self.shallow.is_file():
            _add_shallow(self.shallow, cut)
        wanted = [commit]
        if cut.is_file():
            # What a cut history has in common with another one cannot be told from its commits: send all of it.
            wanted, known = [commit, *self.has(known)], []
        try:
            send_objects(self.git_dir, clone, wanted, self.has(known), ("index-pack", "--stdin", "--fix-thin"))
        except GitFailed as error:
            partial = any(self.common_dir.glob("objects/pack/*.promisor"))
            fix = "make a clone without --filter" if partial else "git fsck, or make a fresh clone"
            raise TargetError(
                "the repository cannot be copied", found=error.reason, where=str(self.path), fix=fix
            ) from None
        if cut.is_file() and not self.shallow.is_file():
            cut.unlink()

    def create_branch(self, branch: str, commit: str, clone: Path, known: list[str]) -> str:
        """The full name of a new branch at a commit of our clone. Work tree, index and HEAD are not looked at.

        Raises: TargetError when the branch exists elsewhere, is checked out unborn, or the repository cannot be
        written; then nothing has changed.
        """
        ref = f"refs/heads/{branch}"
        there = self.resolve(ref)
        if there == commit:
            return ref
        if there is not None:
            raise TargetError(
                "this branch exists",
                wanted=f"none, or one at {commit}",
                found=f"{branch} at {there}",
                where=str(self.path),
            )
        if (self.git_dir / "HEAD").read_text(errors="replace").strip() == f"ref: {ref}":
            raise TargetError("this branch is checked out, without a commit yet", found=branch, where=str(self.path))
        try:
            send_objects(clone, self.git_dir, [commit], self.has(known), ("unpack-objects", "-q"))
            git(self.git_dir, "update-ref", "--no-deref", "-m", "branchlab: promoted", ref, commit, EMPTY_REF)
        except GitFailed as error:
            fix = f"make it writable, then: git fetch {clone} {commit}:{ref}"
            raise TargetError(
                "the branch could not be written", found=error.reason, where=str(self.path), fix=fix
            ) from None
        return ref

    def uncommitted(self, clone: Path, head: str) -> tuple[list[str], list[str]]:
        """Files that differ from `head`, and files git does not know.

        Looked at through our clone's configuration and a copy of the index, so that no filter and no file system
        monitor of the user's repository runs. Files that a filter would turn into something else count as differing.
        """
        assert self.work_tree is not None  # noqa: S101
        with tempfile.TemporaryDirectory(prefix="branchlab-index-") as folder:
            index = Path(folder) / "index"
            env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(self.work_tree)}
            if (self.git_dir / "index").is_file():
                shutil.copyfile(self.git_dir / "index", index)
            exclude = ("-c", f"core.excludesFile={self.common_dir / 'info' / 'exclude'}")
            options = ("--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
            changed = git(clone, *exclude, "diff", "--name-only", "-z", *options, head, "--", env=env)
            others = ("--others", "--exclude-standard", "--directory", "--no-empty-directory")
            unknown = git(clone, *exclude, "ls-files", "-z", *others, env=env)
        return _names(changed), _names(unknown)


def _names(listed: bytes) -> list[str]:
    return [name.decode("utf-8", "replace") for name in listed.split(b"\0") if name]


def _is_git_dir(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _linked(pointer: Path) -> Path:
    """The git directory a `.git` file of a linked work tree or a submodule points to."""
    text = pointer.read_text(errors="replace").strip()
    git_dir = (pointer.parent / text.removeprefix("gitdir:").strip()).resolve()
    if not text.startswith("gitdir:") or not (git_dir / "HEAD").is_file():
        raise TargetError(
            "a .git file that points nowhere", found=text[:200], where=str(pointer), fix="git worktree repair"
        )
    return git_dir


def _add_shallow(theirs: Path, ours: Path) -> None:
    known = set(ours.read_text().split()) if ours.is_file() else set()
    listed = {line for line in theirs.read_text().split() if re.fullmatch("[0-9a-f]{40}", line)}
    ours.write_text("".join(f"{commit}\n" for commit in sorted(known | listed)))

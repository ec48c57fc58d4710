"""The trusted checkout: our bare clone of a target's repository, where candidates are commits and nothing is ever run.

The user's repository is only read, and gets a branch at promotion. Candidates live below refs/branchlab/ in the clone and
stay there, kept or not, so that no diff is ever lost.
"""

import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType

from .clones import clone_for, fetch_url, join_packs, locked, register
from .diffs import candidates_below, diffs_of
from .drafts import NewCommit, draft_of, refuse_clashes, regular
from .errors import StateError, TargetError
from .fast_import import Draft, FastImport, check_ref, commit_head
from .hardened_git import GitFailed, git
from .objects import Objects
from .scope import check_scope, matches
from .shipped import is_shipped, repository_of
from .state_folder import prepare_home
from .target import Target
from .tree import LINK, SUBMODULE, Entry, blob_id
from .urls import is_url
from .user_repository import INIT, UserRepository

__all__ = ["Checkout", "NewCommit", "check_scope", "matches"]

TEXT = frozenset((".py", ".yaml", ".yml", ".toml", ".json", ".md", ".txt", ".cfg", ".ini", ".j2", ".prompt"))
SPACE = "free space there, or see to its rights"
BASES = "refs/base/"
"""Commits taken from the source; what is below them need not be copied again."""
REPACK_AFTER = 200
"""Packs of our own, one for each call that commits, after which they are joined: every one slows all that follows."""


class Checkout:
    """Commits, files and diffs of one target. Safe to use from several threads, and by several processes at once."""

    base: str
    """The commit every candidate is compared with, 40 hex digits."""
    user_repo: Path | None
    """The user's repository; None when the source is a URL."""
    git_dir: Path
    """Our bare clone."""
    notes: tuple[str, ...]
    """What a person should know: uncommitted changes that are not part of the base, submodules, links."""

    def __init__(self, git_dir: Path, user: UserRepository | None, source: str) -> None:
        self.git_dir = git_dir
        self.user_repo = user.path if user else None
        self.notes = ()
        self._user = user
        self._source = source
        self._users = register(git_dir)
        self._objects = Objects(git_dir)
        self._import = FastImport(git_dir)
        self._packs = 0
        self._lock = threading.RLock()

    @classmethod
    def open(cls, target: Target, home: Path) -> "Checkout":
        """The checkout of a target, its base commit copied into a clone below `home`.

        Raises: TargetError when there is no repository, no such commit, or a part of it is missing or unsafe.
        """
        home = home.resolve()
        prepare_home(home)
        user, source = None, target.repo
        if not is_url(source):
            path = repository_of(target, home) if is_shipped(target) else target.home / target.repo
            user = UserRepository.at(path)
            source = str(user.common_dir)
        checkout = cls(clone_for(source, home), user, source)
        try:
            checkout.base = checkout._find_base(target)
            checkout.notes = checkout._notes()
        except BaseException:
            checkout.close()
            raise
        return checkout

    def __enter__(self) -> "Checkout":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child processes. Everything committed is already safe."""
        with self._lock:
            self._import.close()
            self._objects.close()
            self._users.close()

    def resolve(self, name: str) -> str:
        """The commit a branch, tag or id names in the user's repository, copied into the clone when it is new.

        Raises: TargetError when there is none.
        """
        commit = self._resolve(name)
        if commit is None:
            found = name if name.isprintable() else repr(name)
            raise TargetError("no such commit", wanted="a branch, tag or commit", found=found, where=self._source)
        return commit

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor of two commits of the clone. Raises: TargetError when they have none."""
        try:
            return git(self.git_dir, "merge-base", _full_id(one), _full_id(other)).decode().split()[0]
        except (GitFailed, IndexError):
            raise TargetError("the two have no commit in common", found=f"{one[:12]} and {other[:12]}") from None

    def is_ancestor(self, one: str, other: str) -> bool:
        """Whether `other` is `one` or descends from it; both are commits of the clone."""
        try:
            git(self.git_dir, "merge-base", "--is-ancestor", _full_id(one), _full_id(other))
        except GitFailed as error:
            if error.reason != "no message":  # 1, said in silence, is the answer no; anything else is an error
                raise
            return False
        return True

    def message(self, commit: str) -> str:
        """The commit's message; bytes that are no UTF-8 are replaced."""
        with self._lock:
            return self._objects.head(_full_id(commit)).message

    def tree_id(self, commit: str) -> str:
        """The id of the commit's tree: two commits of one tree hold the same files, byte for byte."""
        with self._lock:
            return self._objects.head(_full_id(commit)).tree

    def files(self, commit: str) -> Mapping[str, int]:
        """Size in bytes of every regular file of a commit, by path; links and submodules are not files."""
        with self._lock:
            entries = {path: entry for path, entry in self._entries(commit).items() if regular(entry)}
            sizes = self._objects.sizes(entry.sha for entry in entries.values())
            return {path: sizes[entry.sha] for path, entry in entries.items()}

    def links(self, commit: str) -> tuple[str, ...]:
        """Symbolic links of a commit, which no tree made from it holds."""
        return tuple(path for path, entry in self._entries(commit).items() if entry.mode == LINK)

    def submodules(self, commit: str) -> tuple[str, ...]:
        """Submodules of a commit; their content is another repository's and is not fetched."""
        return tuple(path for path, entry in self._entries(commit).items() if entry.mode == SUBMODULE)

    def read(self, commit: str, path: str) -> bytes:
        """The content of one file. Raises: TargetError when the commit has no such regular file."""
        with self._lock:
            entry = self._entries(commit).get(path)
            if entry is None or not regular(entry):
                raise TargetError("no such file in this commit", found=path, where=commit[:12])
            return self._objects.blob(entry.sha)

    def tree(self, commit: str, *, max_bytes: int = 2_000_000) -> Mapping[str, bytes]:
        """Content of the text files (code, configuration, prose) of a commit, by path; see `too_large` for the rest."""
        with self._lock:
            entries = self._entries(commit)
            wanted = [path for path, size in self._text(commit).items() if size <= max_bytes]
            return {path: self._objects.blob(entries[path].sha) for path in wanted}

    def too_large(self, commit: str, *, max_bytes: int = 2_000_000) -> tuple[str, ...]:
        """Text files that `tree` leaves out for their size."""
        return tuple(path for path, size in self._text(commit).items() if size > max_bytes)

    def changed(self, parent: str, commit: str) -> tuple[str, ...]:
        """Paths whose content, mode or existence differs between two commits, sorted."""
        before, after = self._entries(parent), self._entries(commit)
        return tuple(sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)))

    def diff(self, parent: str, commit: str) -> str:
        """The unified diff between two commits; bytes that are no UTF-8 are replaced."""
        return self.diffs([(parent, commit)])[0]

    def diffs(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """The same for each (parent, commit), by one git process for all of them."""
        return diffs_of(self.git_dir, [(_full_id(parent), _full_id(commit)) for parent, commit in pairs])

    def candidates(self, run: str) -> Mapping[str, str]:
        """Ref to commit of every candidate below refs/branchlab/RUN."""
        prefix = f"refs/branchlab/{run}"
        check_ref(prefix)
        return candidates_below(self.git_dir, prefix)

    def commit(self, parent: str, changes: Mapping[str, bytes | None], message: str, ref: str) -> str:
        """A new commit with these files written, or deleted where None, kept under a ref below refs/branchlab/.

        The id depends on parent, changes and message alone. Making the same candidate again is no error.
        Raises: TargetError when a path cannot be changed or the ref already holds another commit, StateError when git
        cannot write.
        """
        return self.commit_all(parent, [NewCommit(changes, message, ref)])[0]

    def commit_all(self, parent: str, wanted: Sequence[NewCommit]) -> list[str]:
        """The same for many at once, which end up in one pack. When it raises, some may have been made."""
        with self._lock:
            entries, time = self._entries(parent), self._objects.head(parent).time
            drafts = [draft_of(entries, new, parent, time) for new in wanted]
            refuse_clashes(drafts)
            existing = [self._objects.find(draft.ref) for draft in drafts]
            for draft, found in zip(drafts, existing, strict=True):
                if found and not self._is(found, parent, draft.files, draft.head):
                    raise TargetError(
                        "this ref holds another candidate", found=f"{draft.ref} at {found}", where=str(self.git_dir)
                    )
            try:
                made = iter(self._write([d for d, found in zip(drafts, existing, strict=True) if not found]))
            except GitFailed as error:
                raise StateError(
                    "git fast-import could not write a candidate",
                    found=error.reason,
                    where=str(self.git_dir),
                    fix=SPACE,
                ) from None
            return [found or next(made) for found in existing]

    def _write(self, drafts: Sequence[Draft]) -> list[str]:
        if not drafts:
            return []
        made = self._import.commit(drafts)
        for draft, commit in zip(drafts, made, strict=True):
            if self._objects.find(draft.ref) != commit:
                raise GitFailed("fast-import", self._import.complaint())
        self._packs += 1
        if self._packs >= REPACK_AFTER:
            self._packs = 0
            # Both children hold packs open that are about to go; the next question starts others.
            self._import.close()
            self._objects.close()
            join_packs(self.git_dir, self._users)
        return made

    def materialise(self, commit: str, folder: Path, *, leave_out: Sequence[str] = ()) -> None:
        """Writes the files of a commit into a new or empty folder: no .git, no links, nothing that matches `leave_out`.

        Raises: TargetError when the folder holds something, StateError when it cannot be written; then it may be half
        filled.
        """
        with self._lock:
            entries = self._entries(commit)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if folder.is_symlink() or any(folder.iterdir()):
                    raise TargetError("the folder is not empty, or a link to another one", where=str(folder))
                made = {""}
                for path, entry in entries.items():
                    if not regular(entry) or (leave_out and matches(path, leave_out)):
                        continue
                    if (parent := path.rpartition("/")[0]) not in made:
                        (folder / parent).mkdir(parents=True, exist_ok=True)
                        made.add(parent)
                    # x: a tree that names a file twice, or a file and a folder alike, is refused.
                    with open(folder / path, "xb", opener=_executable if entry.executable else None) as file:
                        self._objects.copy(entry.sha, file)
            except OSError as error:
                found = error.strerror or str(error)
                raise StateError("the tree cannot be written", found=found, where=str(folder), fix=SPACE) from None

    def promote(self, commit: str, branch: str) -> str:
        """Full name of a new branch at a candidate: in the user's repository, or in our clone when the source is a URL.

        The user's work tree, index and HEAD stay as they are. Raises: TargetError when the branch exists at another
        commit or the repository cannot be written; the candidate then stays where it was.
        """
        with self._lock:
            self._objects.head(_full_id(commit))
            try:
                git(self.git_dir, "check-ref-format", f"refs/heads/{branch}")
            except GitFailed:
                raise TargetError("not a name for a branch", found=branch) from None
            if self._user:
                return self._user.create_branch(branch, commit, self.git_dir, self._bases())
            ref = f"refs/heads/{branch}"
            existing = self._objects.find(ref)
            if existing not in (None, commit):
                raise TargetError("this branch exists", found=f"{branch} at {existing}", where=str(self.git_dir))
            git(self.git_dir, "update-ref", "--no-deref", ref, commit)
            return ref

    def _find_base(self, target: Target) -> str:
        name = target.commit or "HEAD"
        commit = self._resolve(name)
        if commit is None and self._user is not None:
            where = str(self._user.path)
            if self._user.head() is None and target.commit is None:
                raise TargetError("the repository has no commit yet", where=where, fix=f"cd {where} && {INIT}")
            shallow = "git fetch --unshallow (this clone is shallow)" if self._user.shallow.is_file() else ""
            raise TargetError("no such commit", wanted="a branch, tag or commit", found=name, where=where, fix=shallow)
        if commit is None:
            raise TargetError("no such commit", wanted="a branch, tag or commit", found=name, where=self._source)
        self._entries(commit)
        return commit

    def _resolve(self, name: str) -> str | None:
        if self._user is not None:
            commit = self._user.resolve(name)
            if commit is not None:
                self._take(commit)
                return commit
        with self._lock:
            found = self._find(name)
        if found is None and self._user is None:
            with locked(self.git_dir):
                fetch_url(self._source, self.git_dir)
            with self._lock:
                found = self._find(name)
        return found

    def _find(self, name: str) -> str | None:
        """A commit of our clone: a candidate, or what was fetched from a URL."""
        tried = (f"{prefix}{name}^{{commit}}" for prefix in ("", "refs/remotes/origin/"))
        return next((found for found in map(self._objects.find, tried) if found), None)

    def _take(self, commit: str) -> None:
        """Copies a commit of the user's repository and its history, once."""
        assert self._user is not None  # noqa: S101
        ref = BASES + commit
        with self._lock:
            if self._objects.find(ref) == commit:
                return
        with locked(self.git_dir):
            self._user.send(commit, self.git_dir, self._bases())
            git(self.git_dir, "update-ref", "--no-deref", ref, commit)

    def _bases(self) -> list[str]:
        return git(self.git_dir, "for-each-ref", "--format=%(objectname)", BASES).decode().split()

    def _entries(self, commit: str) -> Mapping[str, Entry]:
        with self._lock:
            return self._objects.entries(_full_id(commit))

    def _text(self, commit: str) -> Mapping[str, int]:
        return {
            path: size
            for path, size in self.files(commit).items()
            # A name that cannot be printed cannot be shown, quoted or edited either.
            if PurePosixPath(path).suffix.lower() in TEXT and path.isprintable()
        }

    def _is(self, commit: str, parent: str, files: Mapping[str, tuple[int, bytes] | None], head: bytes) -> bool:
        """Whether a commit is what these changes would make."""
        there = self._objects.head(commit)
        if there.parents != (parent,) or commit_head(parent, there.time, there.message) != head:
            return False
        expected = dict(self._entries(parent))
        for path, file in files.items():
            expected.pop(path, None)
            if file is not None:
                expected[path] = Entry(file[0], blob_id(file[1]))
        return expected == self._entries(commit)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self._user is not None and self._user.work_tree is not None:
            notes += self._uncommitted(self._user)
        if links := self.links(self.base):
            notes.append(f"symbolic links are left out of every tree: {_some(links)}")
        if submodules := self.submodules(self.base):
            notes.append(f"submodules are not fetched, their folders are missing: {_some(submodules)}")
        return tuple(notes)

    def _uncommitted(self, user: UserRepository) -> list[str]:
        head = user.head()
        if head is None:
            return []
        self._take(head)
        try:
            changed, unknown = user.uncommitted(self.git_dir, head)
        except (GitFailed, OSError) as error:
            return [f"could not tell whether there are uncommitted changes ({error}); the base is a commit anyway"]
        notes = [f"uncommitted changes are not part of the base commit: {_some(changed)}"] if changed else []
        return notes + (
            [f"files git does not know are not part of the base commit: {_some(unknown)}"] if unknown else []
        )


def _executable(path: str, flags: int) -> int:
    return os.open(path, flags, 0o777)


def _full_id(commit: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise TargetError("not a commit id", wanted="40 hex digits", found=commit)
    return commit


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(path if path.isprintable() else repr(path) for path in paths[:3])
    return f"{shown} and {len(paths) - 3} more" if len(paths) > 3 else shown

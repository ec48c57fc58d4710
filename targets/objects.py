"""Reads commits, trees and blobs of our clone through one long-lived `git cat-file`, and keeps them: they never change."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from .errors import TargetError
from .hardened_git import FLAGS, git, overrides
from .tree import DIRECTORY, MAX_FILES, CommitHead, Entry, parse_commit, parse_tree

if TYPE_CHECKING:
    from git.cmd import Git

T = TypeVar("T")
CACHE_BYTES = 64 << 20
CACHED_BLOB = 1 << 20
"""Bytes; larger blobs are streamed and not kept."""


class Objects:
    """The objects of one git directory. Not for two threads at once: one child answers in the order it is asked."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._git: Git | None = None
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._blob_bytes = 0
        self._sizes: dict[str, int] = {}
        self._trees: dict[str, list[tuple[str, Entry]]] = {}
        self.head = lru_cache(maxsize=1024)(self._head)
        self.entries = lru_cache(maxsize=16)(self._entries)

    def find(self, name: str) -> str | None:
        """The object id of a ref or an id; None when there is none."""
        if not name.isprintable() or not name or " " in name:
            return None
        try:
            return _text(self._ask(lambda reader: reader.get_object_header(name))[0])
        except _Missing:
            return None

    def blob(self, sha: str) -> bytes:
        """The content of a blob. Raises: TargetError when it is missing."""
        if sha in self._blobs:
            self._blobs.move_to_end(sha)
            return self._blobs[sha]
        data = self._read(sha, "blob")
        self._keep(sha, data)
        return data

    def copy(self, sha: str, file: BinaryIO) -> None:
        """Writes a blob's content, a large one in pieces. Raises: TargetError when it is missing."""
        if sha in self._blobs or self.sizes([sha])[sha] <= CACHED_BLOB:
            file.write(self.blob(sha))
            return
        *_, stream = self._ask(lambda reader: reader.stream_object_data(sha))
        while piece := stream.read(CACHED_BLOB):
            file.write(piece)

    def sizes(self, shas: Iterable[str]) -> Mapping[str, int]:
        """Bytes of each blob, by id."""
        unknown = {sha for sha in shas if sha not in self._sizes}
        if unknown:
            asked = "".join(f"{sha}\n" for sha in unknown).encode()
            for line in git(self._git_dir, "cat-file", "--batch-check", stdin=asked).decode().splitlines():
                sha, _, rest = line.partition(" ")
                kind, _, size = rest.partition(" ")
                if kind != "blob":
                    raise TargetError("an object is missing from the repository", wanted="a blob", found=line)
                self._sizes[sha] = int(size)
        return self._sizes

    def close(self) -> None:
        """Ends the child; the next question starts another."""
        if self._git is not None:
            self._git.clear_cache()
            self._git = None

    def _keep(self, sha: str, data: bytes) -> None:
        if len(data) > CACHED_BLOB:
            return
        self._blobs[sha] = data
        self._blob_bytes += len(data)
        while self._blob_bytes > CACHE_BYTES:
            self._blob_bytes -= len(self._blobs.popitem(last=False)[1])

    def _head(self, commit: str) -> CommitHead:
        return parse_commit(self._read(commit, "commit"))

    def _entries(self, commit: str) -> Mapping[str, Entry]:
        """Every file, link and submodule of a commit by path, in order. Raises: TargetError for an unsafe tree."""
        return dict(self._walk(self.head(commit).tree))

    def _walk(self, tree: str) -> Iterator[tuple[str, Entry]]:
        waiting = [("", Entry(DIRECTORY, tree))]
        files = 0
        while waiting:
            path, entry = waiting.pop()
            if entry.mode != DIRECTORY:
                files += 1
                yield path, entry
                continue
            below = f"{path}/" if path else ""
            children = self._tree(entry.sha)
            if files + len(waiting) + len(children) > MAX_FILES:
                raise TargetError("too many files in one commit", wanted=f"at most {MAX_FILES}")
            waiting.extend((below + name, child) for name, child in reversed(children))

    def _tree(self, sha: str) -> list[tuple[str, Entry]]:
        if sha not in self._trees:
            self._trees[sha] = parse_tree(self._read(sha, "tree"))
        return self._trees[sha]

    def _read(self, sha: str, wanted: str) -> bytes:
        try:
            _, kind, size, data = self._ask(lambda reader: reader.get_object_data(sha))
        except _Missing:
            raise TargetError(f"a {wanted} is missing from the repository", found=sha) from None
        if _text(kind) != wanted or len(data) != size:
            raise TargetError("an object of another kind than wanted", wanted=wanted, found=f"{kind} {sha}")
        return data

    def _ask(self, question: Callable[["Git"], T]) -> T:
        """One answer of the child; asked again of a fresh one when it had died, as Ctrl-C makes it."""
        reason = ""
        for _ in range(2):
            try:
                return question(self._reader())
            except (ValueError, OSError) as error:
                if "could not be resolved" in str(error):
                    raise _Missing from None
                reason = str(error)
                self.close()
        raise TargetError("git cat-file does not answer", found=reason)

    def _reader(self) -> "Git":
        if self._git is None:
            try:
                from git.cmd import Git  # late: importing it runs `git version`
            except ImportError as error:
                raise TargetError("there is no git program on the PATH", found=str(error), fix="install git") from None
            self._git = Git(str(self._git_dir))
            self._git.update_environment(**overrides(self._git_dir))
            self._git.set_persistent_git_options(c=list(FLAGS[1::2]))
        return self._git


def _text(value: str | bytes) -> str:
    """GitPython says str and hands out what came through the pipe."""
    return value.decode("ascii") if isinstance(value, bytes) else value


class _Missing(Exception):
    """There is no such object; the child is still well."""

"""git's own tree and commit objects, read strictly: a name that could lead out of a folder is refused, not written."""

import hashlib
import re
from typing import NamedTuple

from .errors import TargetError

DIRECTORY, LINK, SUBMODULE = 0o040000, 0o120000, 0o160000
_UNSEEN = (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)
IGNORED = re.compile(b"|".join(chr(code).encode() for code in _UNSEEN))
"""Characters that macOS leaves out when it compares names; git's own list."""
MAX_FILES = 500_000
"""A tree that shares subtrees can name more files than any disk holds."""


class Entry(NamedTuple):
    mode: int
    sha: str

    @property
    def executable(self) -> bool:
        return bool(self.mode & 0o111)


class CommitHead(NamedTuple):
    tree: str
    parents: tuple[str, ...]
    time: int
    """Seconds since the epoch, of the committer."""
    message: str


def parse_commit(data: bytes) -> CommitHead:
    """Tree, parents and time of a raw commit object. Raises: TargetError when it is none."""
    tree, parents = "", []
    head, _, message = data.partition(b"\n\n")
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = value.decode("ascii")
        elif key == b"parent":
            parents.append(value.decode("ascii"))
        elif key == b"committer":
            fields = value.rsplit(b" ", 2)
            if tree and len(fields) == 3 and fields[1].isdigit():
                return CommitHead(tree, tuple(parents), int(fields[1]), message.decode("utf-8", "replace"))
    raise TargetError("a commit without tree or committer", found=repr(data[:80]))


def parse_tree(data: bytes) -> list[tuple[str, Entry]]:
    """Names and entries of a raw tree object, in its order. Raises: TargetError for a malformed or unsafe one."""
    entries: list[tuple[str, Entry]] = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at)
        end = data.find(b"\0", space)
        mode, name = data[at:space], data[space + 1 : end]
        if space < 0 or end < 0 or len(data) < end + 21 or not mode.isdigit():
            raise TargetError("a malformed tree object", found=repr(data[at : at + 40]))
        refuse_unsafe(name)
        entries.append((name.decode("utf-8", "surrogateescape"), Entry(int(mode, 8), data[end + 1 : end + 21].hex())))
        at = end + 21
    return entries


def refuse_unsafe(name: bytes) -> None:
    """Nothing for an ordinary file name. Raises: TargetError for one that is no name, or that git itself would obey."""
    if not name.rstrip(b" .") or b"/" in name or b"\0" in name or _is_git(name):
        raise TargetError("a file name that is not safe to write", wanted="no '..', no '.git'", found=repr(name))


def _is_git(name: bytes) -> bool:
    """Whether some system takes the name, or a part of it, for `.git`: git refuses the same ones everywhere."""
    parts = IGNORED.sub(b"", name).lower().split(b"\\")
    return any(part.partition(b":")[0].rstrip(b" .") in (b".git", b"git~1") for part in parts)


def blob_id(data: bytes) -> str:
    """The id git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

"""Candidates seen all at once: one git process lists them, one diffs them, however many there are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import TargetError
from .hardened_git import git

NO_ATTRIBUTES = {"GIT_ATTR_SOURCE": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}
"""The empty tree: newer git reads .gitattributes of HEAD in a bare repository, where a candidate could hide a diff."""
OPTIONS = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")


def candidates_below(git_dir: Path, prefix: str) -> Mapping[str, str]:
    """Ref to commit of everything below `prefix`, such as `refs/branchlab/RUN`, in order of the names."""
    lines = git(git_dir, "for-each-ref", "--format=%(refname) %(objectname)", prefix).decode().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def diffs_of(git_dir: Path, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The unified diff of each (parent, commit), full ids; bytes that are no UTF-8 are replaced."""
    asked = "".join(f"{commit} {parent}\n" for parent, commit in pairs).encode()
    told = git(git_dir, "diff-tree", "--stdin", "--always", "-p", "-r", *OPTIONS, stdin=asked, env=NO_ATTRIBUTES)
    found: list[list[bytes]] = []
    for line in (part + b"\n" for part in told.split(b"\n")[:-1]):
        # No line of a diff is an id alone: each begins with a sign, a blank or a word.
        if len(found) < len(pairs) and line == pairs[len(found)][1].encode() + b"\n":
            found.append([])
        elif found:
            found[-1].append(line)
    if len(found) != len(pairs):
        raise TargetError("git diff-tree left a commit out", wanted=f"{len(pairs)} diffs", found=str(len(found)))
    return [b"".join(lines).decode("utf-8", "replace") for lines in found]

"""What is to become a commit, checked against the tree it will change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import TargetError
from .fast_import import Draft, check_ref, commit_head
from .tree import LINK, SUBMODULE, Entry, refuse_unsafe


@dataclass(frozen=True, slots=True)
class NewCommit:
    """Files written, or deleted where None; the message; and the ref below refs/branchlab/ that will keep it."""

    changes: Mapping[str, bytes | None]
    message: str
    ref: str


def draft_of(entries: Mapping[str, Entry], new: NewCommit, parent: str, time: int) -> Draft:
    """The commit for fast-import. Raises: TargetError where the ref is not for candidates or a path cannot be changed."""
    check_ref(new.ref)
    files = {path: _change(entries, path, data) for path, data in new.changes.items()}
    return Draft(new.ref, commit_head(parent, time, new.message), files)


def refuse_clashes(drafts: Sequence[Draft]) -> None:
    """Raises: TargetError when one ref is wanted twice: the second would move it."""
    refs = [draft.ref for draft in drafts]
    if len(set(refs)) < len(refs):
        twice = next(ref for ref in refs if refs.count(ref) > 1)
        raise TargetError("one ref for two candidates", found=twice)


def regular(entry: Entry) -> bool:
    """Whether it is a file, neither a link nor a submodule."""
    return entry.mode not in (LINK, SUBMODULE)


def _change(entries: Mapping[str, Entry], path: str, data: bytes | None) -> tuple[int, bytes] | None:
    """Mode and content of a file to write, None for one to delete. Raises: TargetError where neither can be."""
    parts = path.split("/")
    for part in parts:
        refuse_unsafe(part.encode("utf-8", "surrogateescape"))
    entry = entries.get(path)
    if entry is not None and not regular(entry):
        raise TargetError("a link or a submodule cannot be edited", found=path)
    if entry is None and data is None:
        raise TargetError("a file that is not there cannot be deleted", found=path)
    above = {"/".join(parts[:at]) for at in range(1, len(parts))}
    if entry is None and (above & entries.keys() or any(other.startswith(f"{path}/") for other in entries)):
        raise TargetError("a file and a folder cannot have one name", found=path)
    if data is None:
        return None
    return (0o100755 if entry is not None and entry.executable else 0o100644), data

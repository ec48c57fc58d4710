"""Whether git would merge two changes of one file, asked of git itself."""

import tempfile
from pathlib import Path

from .hardened_git import GitFailed, git


def merged(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """The file with both changes, as `git merge` would write it; None where they conflict.

    Raises: TargetError without a git program.
    """
    with tempfile.TemporaryDirectory(prefix="branchlab-merge-") as folder:
        paths = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for path, data in zip(paths, (ours, base, theirs), strict=True):
            path.write_bytes(data)
        try:
            return git(None, "merge-file", "-p", "--quiet", *map(str, paths))
        except GitFailed:  # its exit status is the number of conflicts; a binary file has none to show
            return None

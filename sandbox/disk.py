"""How much of a disk a folder uses, measured while hostile code writes into it."""

import os
from dataclasses import dataclass

MB = 1024 * 1024
DEEPEST = 48
"""Folders below folders; more is refused, because a walk holds one descriptor for each level."""


@dataclass(frozen=True, slots=True)
class Usage:
    mb: float
    files: int
    fault: str = ""
    """Why the folder cannot be measured, such as a folder its owner locked; empty when it was."""


def usage(folder: str, *, most_files: int) -> Usage:
    """Blocks and entries below a folder, links not followed; stops early once `most_files` is passed."""
    blocks = files = 0
    stack = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    iterators = [os.scandir(stack[0])]
    try:
        while stack:
            entry = next(iterators[-1], None)
            if entry is None:
                iterators.pop().close()
                os.close(stack.pop())
                continue
            files += 1
            try:
                blocks += entry.stat(follow_symlinks=False).st_blocks
                if entry.is_dir(follow_symlinks=False):
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                    stack.append(os.open(entry.name, flags, dir_fd=stack[-1]))
                    iterators.append(os.scandir(stack[-1]))
            except (FileNotFoundError, NotADirectoryError):
                continue  # it was removed or replaced since it was listed
            except PermissionError:
                return Usage(blocks * 512 / MB, files, "a folder in it cannot be read")
            if files > most_files:
                return Usage(blocks * 512 / MB, files)
            if len(stack) > DEEPEST:
                return Usage(blocks * 512 / MB, files, f"its folders are more than {DEEPEST} deep")
        return Usage(blocks * 512 / MB, files)
    finally:
        for iterator in iterators:
            iterator.close()
        for descriptor in stack:
            os.close(descriptor)


def free_mb(folder: str) -> float:
    """Space an ordinary user can still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize / MB

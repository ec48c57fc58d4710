"""How much of a disk a folder uses, measured while hostile code writes into it."""

import os
import stat
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
    try:
        stack = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    except PermissionError:
        return Usage(0.0, 0, "it cannot be read")
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


def remove(folder: str) -> None:
    """Removes what a run left, however deep its folders are and whatever their modes. Raises OSError."""
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    moved, prefix = 0, f".{os.urandom(8).hex()}"  # a name that nothing in it has
    try:
        while names := os.listdir(top):
            for name in names:
                if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                # Emptied upwards, each entry moved once: going down instead would hold a descriptor for each level.
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
                try:
                    for child in os.listdir(below):
                        moved += 1
                        os.rename(child, f"{prefix}-{moved}", src_dir_fd=below, dst_dir_fd=top)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(folder)


def free_mb(folder: str) -> float:
    """Space an ordinary user can still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize / MB

"""What one user keeps in the host's /dev/shm: memory with a name, which outlives the process that made it."""

import os
from contextlib import suppress

from .disk import MB, Usage

SHARED_MEMORY = "/dev/shm"  # noqa: S108 (the host's: glibc knows no other place)


def usage(uid: int, folder: str = SHARED_MEMORY) -> Usage:
    """Blocks and number of the user's files there. A run may make no folders in it."""
    blocks = files = 0
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if found.st_uid == uid:
                    blocks += found.st_blocks
                    files += 1
    return Usage(blocks * 512 / MB, files)

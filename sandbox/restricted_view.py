"""What a run of the `restricted` backend may open: Landlock's allow-list for one request.

A list can only give. A folder that must stay hidden is left out by giving its neighbours one by one instead of the folder
they are in; that folder itself may still be listed, because a Python that cannot list its site-packages finds nothing there,
and Landlock cannot give that for one level alone: so the names inside a hidden folder can be listed, and nothing read.
"""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ..targets.errors import SandboxError
from . import view
from .landlock import Access
from .runner import RunRequest
from .shared_memory import SHARED_MEMORY

READ = Access.READ_FILE | Access.READ_DIR
SHOWN = READ | Access.EXECUTE
# Without EXECUTE: the descriptors of a process whose program may not be read are hidden from the watchdog, and only what a
# run writes itself could be such a program.
WRITTEN = (
    READ | Access.WRITE_FILE | Access.TRUNCATE | Access.REFER | Access.REMOVE_FILE | Access.REMOVE_DIR
    | Access.MAKE_REG | Access.MAKE_DIR | Access.MAKE_SYM | Access.MAKE_FIFO | Access.MAKE_SOCK
)  # fmt: skip
IN_SHARED_MEMORY = (
    Access.READ_FILE | Access.WRITE_FILE | Access.TRUNCATE | Access.REMOVE_FILE | Access.MAKE_REG
)  # fmt: skip
SYSTEM = ("/usr", *view.SYSTEM_LINKS)
# Beyond what bubblewrap shows: here what may not be read still exists, and a program that looks first and then opens it fails.
SETTINGS = (*view.SYSTEM_FILES, "/etc/ssl/openssl.cnf", "/etc/os-release", "/etc/python3*")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random")
# The machine: what numerical libraries ask to find out how many cores there are, and of which kind.
FACTS = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version",
         "/proc/sys/kernel/osrelease", "/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu",
         "/sys/devices/system/node", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
         "/sys/fs/cgroup/cpu/cpu.cfs_period_us")  # fmt: skip

Grants = list[tuple[str, int]]


def grants(request: RunRequest, scratch: Path, *, own_user: bool) -> Grants:
    """Paths and the rights below them, all without links.

    Raises SandboxError when a folder to hide would still be readable, and when a path is missing.
    """
    hidden = sorted({os.path.realpath(folder) for folder in request.interpreter.hide})
    asked, writable = [*request.mounts.values()], [request.out, scratch]
    (writable if request.work_writable else asked).append(request.work)
    found: Grants = []
    installed = [*map(Path, SYSTEM), *request.interpreter.prefixes]
    for folder in _outermost(os.path.realpath(path) for path in installed if path.exists()):
        found += _without(folder, hidden)
    for folder in (str(view.real(path)) for path in asked):
        # One that is itself in a hidden folder was asked for by name: a shipped target's data.
        found += _without(folder, _below(folder, hidden))
    for folder in (str(view.real(path)) for path in writable):
        if inside := _below(folder, hidden):
            raise SandboxError(
                "a folder to hide cannot be left out of one that a run writes to", found=inside[0], where=folder,
                fix="keep the environment outside the work tree and the results",
            )  # fmt: skip
        found.append((folder, int(WRITTEN)))
    found += [(path, int(READ)) for pattern in SETTINGS for path in _existing(pattern)]
    found += [(path, int(READ)) for path in FACTS if os.path.exists(path)]
    found += [(path, int(Access.READ_FILE | Access.WRITE_FILE)) for path in DEVICES]
    if own_user:
        found.append((SHARED_MEMORY, int(IN_SHARED_MEMORY)))
    return found


def _without(folder: str, hidden: list[str]) -> Grants:
    """The folder's rights, given so that nothing in `hidden` can be read."""
    if any(_within(folder, other) for other in hidden):
        return []
    if not _below(folder, hidden):
        return [(folder, int(SHOWN))]
    found: Grants = [(folder, int(Access.READ_DIR))]
    for entry in os.scandir(folder):
        # A link is followed to where it leads, and what that may show is decided there.
        if not entry.is_symlink():
            found += _without(entry.path, hidden)
    return found


def _outermost(paths: Iterable[str]) -> list[str]:
    """The paths that are not below another one."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not any(_within(path, other) for other in found):
            found.append(path)
    return found


def _existing(pattern: str) -> list[str]:
    return [os.path.realpath(path) for path in glob.glob(pattern)]


def _below(folder: str, others: Iterable[str]) -> list[str]:
    return [other for other in others if other != folder and _within(other, folder)]


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def reachable_by_anyone(path: Path) -> bool:
    """Whether an ordinary user may walk to the path, by its own name and by where it really is."""
    for name in {os.path.abspath(path), os.path.realpath(path)}:
        if any(not os.stat(parent).st_mode & 0o001 for parent in Path(name).parents):
            return False
    return True

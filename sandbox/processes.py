"""The processes below one process, read from /proc: how many, how much memory, which unlinked files they hold open.

Everything here races with the processes it looks at: one that ended between two reads counts as nothing.
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..targets.errors import SandboxError

GONE = (FileNotFoundError, ProcessLookupError, PermissionError, NotADirectoryError)
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tree:
    pids: tuple[int, ...]
    tasks: int
    """Threads of all of them together: what RLIMIT_NPROC and pids.max count too."""


@dataclass(frozen=True, slots=True)
class Memory:
    """MB. `anonymous` is private, `shared` is tmpfs, memfd and shared anonymous memory that is mapped."""

    anonymous: float
    shared: float


def require_proc_children() -> None:
    """Raises SandboxError on a kernel that does not list a task's children (CONFIG_PROC_CHILDREN)."""
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        raise SandboxError(
            "cannot watch a process tree here",
            wanted="/proc/self/task/*/children",
            fix="use a Linux kernel built with CONFIG_PROC_CHILDREN (every common distribution's is)",
        )


def tree(*roots: int) -> Tree:
    """The processes and everything below them."""
    pids, tasks, todo = [], 0, list(roots)
    seen = set(roots)
    while todo:
        pid = todo.pop()
        with suppress(*GONE):
            for task in os.listdir(f"/proc/{pid}/task"):
                tasks += 1
                # A child is listed under the thread that made it.
                for child in map(int, _read(f"/proc/{pid}/task/{task}/children").split()):
                    if child not in seen:
                        seen.add(child)
                        todo.append(child)
            pids.append(pid)
    return Tree(tuple(pids), tasks)


def memory(pids: Iterable[int]) -> Memory:
    """A quick upper bound: pages shared between processes count once for each of them."""
    anonymous = shared = 0
    for pid in pids:
        with suppress(*GONE):
            for line in _read(f"/proc/{pid}/status").splitlines():
                if line.startswith("RssAnon:"):
                    anonymous += int(line.split()[1])
                elif line.startswith("RssShmem:"):
                    shared += int(line.split()[1])
    return Memory(anonymous / 1024, shared / 1024)


def proportional_memory(pids: Iterable[int]) -> Memory:
    """The exact figure, shared pages divided among their users (PSS); walks page tables, so only for confirming."""
    anonymous = shared = 0
    for pid in pids:
        with suppress(*GONE):
            for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
                if line.startswith("Pss_Anon:"):
                    anonymous += int(line.split()[1])
                elif line.startswith("Pss_Shmem:"):
                    shared += int(line.split()[1])
    return Memory(anonymous / 1024, shared / 1024)


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system seconds of the processes and of the children they have waited for."""
    ticks = 0
    for pid in pids:
        with suppress(*GONE, IndexError):
            fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def looking_as(uid: int | None) -> Iterator[None]:
    """What this thread reads from /proc it reads as that user: root in a container often may not look into the processes
    of others (CAP_SYS_PTRACE), and their own user may. Nothing changes for None."""
    if uid is None:
        yield
        return
    libc = ctypes.CDLL(None)
    before = libc.setfsgid(uid), libc.setfsuid(uid)  # of this thread only, unlike every other change of user
    try:
        yield
    finally:
        libc.setfsuid(before[1])
        libc.setfsgid(before[0])


def unlinked_files(pids: Iterable[int]) -> dict[int, float]:
    """MB of open and mapped files without a name, by device number: what fills a disk or memory and no folder shows."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in pids:
        with suppress(*GONE):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(*GONE, OSError):
                    found = os.stat(entry.path)
                    if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                        sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
        with suppress(*GONE):
            for found in _mapped_and_deleted(pid):
                sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
    by_device: dict[int, float] = {}
    for (device, _), size in sizes.items():
        by_device[device] = by_device.get(device, 0.0) + size / MB
    return by_device


def _mapped_and_deleted(pid: int) -> Iterator[os.stat_result]:
    """Files without a name that are mapped: one that was closed since is in no list of descriptors. Only root may ask."""
    for line in _read(f"/proc/{pid}/maps").splitlines():
        if line.endswith(" (deleted)"):
            low, _, high = line.split(" ", 1)[0].partition("-")
            with suppress(*GONE, OSError):
                yield os.stat(f"/proc/{pid}/map_files/{int(low, 16):x}-{int(high, 16):x}")


def marked(mark: bytes, pids: Iterable[int] | None = None) -> list[int]:
    """Processes whose start environment holds the entry `mark`; of all this user may look at, when none are named.

    One that has ended but was not waited for has no environment any more, and is not among them.
    """
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()) if pids is None else pids:
        with suppress(*GONE), open(f"/proc/{pid}/environ", "rb") as file:
            if mark in file.read().split(b"\0"):
                found.append(pid)
    return found


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()

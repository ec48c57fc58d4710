"""Holds one run to its limits from outside: a watchdog over its process tree, and the limits the kernel keeps.

The kernel's own limits (RLIMIT_*) are per process, so a tree of processes can pass them together; the watchdog looks at
the whole tree. Measured overshoot of the watchdog: tens of MB of memory, tens of MB of disk.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import disk, processes, shared_memory
from .runner import KillReason, Limits, Status

MB = 1024 * 1024
DISK_FLOOR_MB = 256.0
"""Free space a host keeps: no run starts below it, and a run that meets it ends, without blame."""
MEMORY_FLOOR_MB = 256.0
OPEN_FILES = 4096
OOM_SCORE = 1000
"""The kernel ends a run before anything else when memory runs out."""
INTERVAL = 0.03
BUSY_SHARE = 0.1
"""Share of one core the watchdog may use: where a check is expensive, it comes less often."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run was ended from outside."""

    status: Status
    reason: str
    kind: KillReason | None = None


CANCELLED = Stop("killed", "cancelled", "cancelled")


def rlimits(limits: Limits) -> dict[str, int]:
    """Kernel limits of every process of a run, by the names prlimit(1) uses. Never above what this process has."""
    import resource

    wanted = {
        "core": (resource.RLIMIT_CORE, 0),
        "fsize": (resource.RLIMIT_FSIZE, limits.disk_mb * MB),
        "nofile": (resource.RLIMIT_NOFILE, OPEN_FILES),
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
    }
    capped = {}
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        capped[name] = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return capped


def thread_environment(threads: int) -> dict[str, str]:
    """Variables by which the usual numerical libraries learn how many cores they have."""
    names = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS", "VECLIB")
    suffix = {"VECLIB": "_MAXIMUM_THREADS"}
    return {name + suffix.get(name, "_NUM_THREADS"): str(threads) for name in names}


def room_to_start(folder: Path) -> Stop | None:
    """None when the folder's disk has room for a run."""
    free = disk.free_mb(str(folder))
    if free >= DISK_FLOOR_MB:
        return None
    return Stop(
        "sandbox_failed",
        f"{free:.0f} MB free on the disk of {folder}, {DISK_FLOOR_MB:.0f} MB needed to start",
        "host_disk",
    )


class Watchdog:
    """Looks at one running tree whenever `due` has passed; remembers its peak memory.

    `folders` are the host folders the run writes to; `memory_folders` are tmpfs mounts as the tree's own root sees
    them, whose content is memory although no process maps it. `uid` is the user that only this run has, when it has
    one and no mounts of its own: its files in the host's /dev/shm count, and its processes are looked into as that user.
    """

    def __init__(
        self,
        limits: Limits,
        folders: Sequence[Path],
        memory_folders: Sequence[str] = (),
        uid: int | None = None,
        *,
        gpu: Callable[[tuple[int, ...]], Stop | None] | None = None,
    ) -> None:
        """`gpu` is the request's `gpu_watch`."""
        self._limits = limits
        self._gpu = gpu
        self._folders = [str(folder) for folder in folders]
        self._memory_folders = memory_folders
        self._uid = uid
        self._host_root = os.stat("/")
        self._disk_devices = {os.stat(folder).st_dev for folder in self._folders}
        self._open_files_due = 0.0
        self._disk_due = 0.0
        self._unlinked: dict[int, float] = {}
        self.peak_memory_mb = 0.0
        self.cpu_seconds = 0.0
        """As of the last look; a lower bound."""
        self.seen: tuple[int, ...] = ()
        """Process ids of the last look."""
        self.also: tuple[int, ...] = ()
        """Processes of the run that are not below the root of `check`, with all that is below them."""
        self.due = time.monotonic() + INTERVAL / 3

    def check(self, root: int) -> Stop | None:
        """Why the tree below `root` must end now, or None."""
        started = time.monotonic()
        tree = processes.tree(root, *self.also)
        self.seen = tree.pids
        self.cpu_seconds = max(self.cpu_seconds, processes.cpu_seconds(tree.pids))
        stop = self._processes(tree) or self._memory(root, tree, started) or self._disk(started) or self._host()
        stop = stop or (self._gpu(tree.pids) if self._gpu else None)
        now = time.monotonic()
        self.due = now + max(INTERVAL, (now - started) / BUSY_SHARE)
        return stop

    def _processes(self, tree: processes.Tree) -> Stop | None:
        # Two more than the limit: the sandbox's own first process and a launcher are in the tree.
        if tree.tasks <= self._limits.processes + 2:
            return None
        return Stop("killed", f"more than {self._limits.processes} processes and threads", "processes")

    def _memory(self, root: int, tree: processes.Tree, now: float) -> Stop | None:
        quick = processes.memory(tree.pids)
        mounted, devices = self._memory_mounts(root)
        if self._uid is not None:
            named = shared_memory.usage(self._uid)
            if named.files > self._limits.files:
                return Stop("killed", f"made more than {self._limits.files} files in shared memory", "files")
            mounted += named.mb
        if now >= self._open_files_due:
            with processes.looking_as(self._uid):
                self._unlinked = processes.unlinked_files(tree.pids)
            cost = time.monotonic() - now
            self._open_files_due = now + max(4 * INTERVAL, cost / BUSY_SHARE)
        # Unlinked files of a mounted tmpfs are in its usage already; those of a disk are the disk's.
        nameless = sum(mb for dev, mb in self._unlinked.items() if dev not in devices | self._disk_devices)
        used = quick.anonymous + max(quick.shared, mounted + nameless)
        limit = self._limits.memory_mb
        if used > limit:
            with processes.looking_as(self._uid):
                exact = processes.proportional_memory(tree.pids)
            # Where the exact figure cannot be read it is zero: the upper bound stands.
            if exact.anonymous + exact.shared > 0:
                used = exact.anonymous + max(exact.shared, mounted + nameless)
        self.peak_memory_mb = max(self.peak_memory_mb, used)
        return Stop("out_of_memory", f"used {used:.0f} MB of {limit} MB of memory", "memory") if used > limit else None

    def _memory_mounts(self, root: int) -> tuple[float, set[int]]:
        used, devices = 0.0, set[int]()
        with suppress(OSError):
            if os.path.samestat(os.stat(f"/proc/{root}/root"), self._host_root):
                return used, devices  # its own root is not in place yet: these folders are still the host's
        for folder in self._memory_folders:
            # The tree may have ended, or not have mounted it yet.
            with suppress(OSError):
                path = f"/proc/{root}/root{folder}"
                found = os.statvfs(path)
                used += (found.f_blocks - found.f_bfree) * found.f_frsize / MB
                devices.add(os.stat(path).st_dev)
        return used, devices

    def _disk(self, now: float) -> Stop | None:
        if now < self._disk_due:
            return None
        started = time.monotonic()
        try:
            return self._disk_now()
        finally:
            ended = time.monotonic()
            self._disk_due = ended + max(2 * INTERVAL, (ended - started) / BUSY_SHARE)

    def _disk_now(self) -> Stop | None:
        """Also called once after the end, when nothing races any more."""
        used = sum(self._unlinked.get(device, 0.0) for device in self._disk_devices)
        files = 0
        for folder in self._folders:
            found = disk.usage(folder, most_files=self._limits.files)
            if found.fault:
                return Stop("killed", f"the output folder cannot be measured: {found.fault}", "disk")
            used, files = used + found.mb, files + found.files
        if files > self._limits.files:
            return Stop("killed", f"wrote more than {self._limits.files} files", "files")
        if used > self._limits.disk_mb:
            return Stop("killed", f"wrote {used:.0f} MB of {self._limits.disk_mb} MB of disk", "disk")
        return None

    def final_check(self) -> Stop | None:
        """Whether what the ended run left behind is within its limits."""
        self._unlinked = {}
        return self._disk_now()

    def _host(self) -> Stop | None:
        for folder in self._folders:
            free = disk.free_mb(folder)
            if free < DISK_FLOOR_MB:
                return Stop("sandbox_failed", f"the host's disk is nearly full: {free:.0f} MB free", "host_disk")
        free = _available_memory_mb()
        if free < MEMORY_FLOOR_MB:
            return Stop(
                "sandbox_failed", f"the host's memory is nearly used up: {free:.0f} MB available", "host_memory"
            )
        return None


def _available_memory_mb() -> float:
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    return float("inf")

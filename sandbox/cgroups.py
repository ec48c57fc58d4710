"""Control groups: the kernel itself holds a run's whole tree to its memory, processes and CPU time.

Version 2 where a subtree may be written (root, or `systemd-run --user --scope -p Delegate=yes`), else version 1 (root).
Groups are made beside the one this process is in, so that it never has to move ("no internal processes" rule); only in a
delegated group that holds nothing but this process does it step into a leaf of its own. Where neither works there is no
group, and `RunResult.limits_kind` does not name one: the watchdog holds the limits alone.

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux.
"""

import itertools
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..targets.errors import SandboxError
from .limits import Stop
from .runner import Limits

MB = 1024 * 1024
PERIOD = 100_000
"""Microseconds over which CPU time is shared out."""
OWN_PROCESSES = 2
"""The sandbox's first process and a launcher are in the group too."""
NAME = re.compile(r"branchlab-(\d+)-(\d+)-\d+")
RMDIR_TRIES = 100
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups can be made. Found by `find`."""

    kind: Literal["cgroup v2", "cgroup v1"]
    parents: Mapping[str, Path]
    """Folder by controller: memory, pids and perhaps cpu. The same one for all of them in version 2."""

    @contextmanager
    def group(self, limits: Limits) -> Iterator["Group"]:
        """A new group with these limits; gone with everything in it at the end. Raises SandboxError when it cannot be
        made."""
        name = f"branchlab-{os.getpid()}-{started(os.getpid())}-{next(_numbers)}"
        folders = {controller: parent / name for controller, parent in self.parents.items()}
        group = Group(self.kind, folders)
        group.make()
        try:
            group.limit(limits)
            yield group
        finally:
            group.remove()

    def sweep(self) -> None:
        """Removes empty groups that a killed driver left behind."""
        for parent in set(self.parents.values()):
            for entry in parent.iterdir():
                found = NAME.fullmatch(entry.name)
                if found and started(int(found[1])) != int(found[2]):
                    with suppress(OSError):
                        entry.rmdir()


@dataclass(frozen=True, slots=True)
class Group:
    kind: Literal["cgroup v2", "cgroup v1"]
    folders: Mapping[str, Path]

    def make(self) -> None:
        """Raises SandboxError, with nothing of it left, when a folder cannot be made or is somebody else's."""
        made: list[Path] = []
        try:
            for folder in dict.fromkeys(self.folders.values()):
                folder.mkdir()
                made.append(folder)
        except OSError as error:
            for folder in made:
                folder.rmdir()
            found = error.strerror or ""
            raise SandboxError("cannot make a control group", found=found, where=str(error.filename)) from None

    def limit(self, limits: Limits) -> None:
        """Raises SandboxError when the kernel does not take a limit."""
        try:
            for controller, name, value, optional in _settings(self.kind, limits):
                place = self.folders.get(controller)
                if place and ((place / name).exists() or not optional):
                    (place / name).write_text(value, encoding="ascii")
        except OSError as error:
            raise SandboxError(
                "cannot make a control group", found=error.strerror or "", where=str(error.filename)
            ) from None

    def enter(self, pid: int) -> None:
        """Puts a process into the group before it starts anything. Raises SandboxError when it cannot be done."""
        try:
            for folder in dict.fromkeys(self.folders.values()):
                (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except ProcessLookupError:
            return  # it has ended by itself
        except OSError as error:
            raise SandboxError("cannot put a run into its control group", found=error.strerror or "") from None

    def stop(self) -> Stop | None:
        """Whether the kernel ended a process of the run for lack of memory, and so the run itself.

        Version 1 ends only one process, and the rest may go on and even end well: it counts all the same.
        """
        name = "memory.events" if self.kind == "cgroup v2" else "memory.oom_control"
        if _field(self.folders["memory"] / name, "oom_kill") > 0:
            return Stop("out_of_memory", "the kernel ended it at its memory limit", "memory")
        return None

    def refused_processes(self) -> bool:
        """Whether a fork failed at the limit: no reason to end a run, but a reason why one failed."""
        return _field(self.folders["pids"] / "pids.events", "max") > 0

    def unthrottle(self) -> None:
        """Lifts the limit of CPU time: thousands of killed processes could not die within it for minutes."""
        name, value = ("cpu.max", "max") if self.kind == "cgroup v2" else ("cpu.cfs_quota_us", "-1")
        with suppress(OSError):
            if "cpu" in self.folders:
                (self.folders["cpu"] / name).write_text(value, encoding="ascii")

    def kill(self) -> None:
        """Ends everything in it at once, where the kernel can (version 2, Linux 5.14)."""
        self.unthrottle()
        with suppress(OSError):
            (self.folders["memory"] / "cgroup.kill").write_text("1", encoding="ascii")

    def remove(self) -> None:
        self.kill()
        for folder in dict.fromkeys(self.folders.values()):
            for _ in range(RMDIR_TRIES):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)  # busy for a moment after its last process ended
                else:
                    break


def _settings(kind: str, limits: Limits) -> list[tuple[str, str, str, bool]]:
    """Controller, file, value, and whether a kernel may lack the file."""
    memory, processes = str(limits.memory_mb * MB), str(limits.processes + OWN_PROCESSES)
    quota = limits.threads * PERIOD
    if kind == "cgroup v2":
        return [
            ("memory", "memory.max", memory, False),
            ("memory", "memory.swap.max", "0", True),
            ("memory", "memory.oom.group", "1", True),
            ("pids", "pids.max", processes, False),
            ("cpu", "cpu.max", f"{quota} {PERIOD}", False),
        ]
    return [
        ("memory", "memory.limit_in_bytes", memory, False),
        ("memory", "memory.memsw.limit_in_bytes", memory, True),
        ("pids", "pids.max", processes, False),
        ("cpu", "cpu.cfs_period_us", str(PERIOD), True),
        ("cpu", "cpu.cfs_quota_us", str(quota), True),
    ]


def find(proc: Path = Path("/proc/self")) -> Hierarchy | None:
    """The best hierarchy a group was really made in, or None."""
    own = groups_of(proc, mounts=proc / "mountinfo")
    for hierarchy in (*_second_version(own), *_first_version(own)):
        try:
            with hierarchy.group(Limits(wall_seconds=1, memory_mb=64)):
                hierarchy.sweep()
                return hierarchy
        except (SandboxError, OSError):
            continue
    return None


def _second_version(own: Mapping[str, Path]) -> Iterator[Hierarchy]:
    folder = own.get("")
    if folder is None:
        return
    for parent in (folder.parent, folder):
        if _enable(parent, alone=parent == folder):
            controllers = _words(parent / "cgroup.subtree_control") & {"memory", "pids", "cpu"}
            yield Hierarchy("cgroup v2", dict.fromkeys(sorted(controllers), parent))


def _enable(parent: Path, *, alone: bool) -> bool:
    """Whether groups below `parent` have memory and process limits, switched on here if they may be."""
    control = parent / "cgroup.subtree_control"
    if not os.access(parent, os.W_OK) or not {"memory", "pids"} <= _words(parent / "cgroup.controllers"):
        return False
    if {"memory", "pids"} <= _words(control):
        return True
    try:
        if alone and _words(parent / "cgroup.procs") == {str(os.getpid())}:
            leaf = parent / "branchlab-driver"
            leaf.mkdir(exist_ok=True)
            (leaf / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        for name in ("memory", "pids", "cpu"):
            with suppress(OSError):
                control.write_text(f"+{name}", encoding="ascii")
    except OSError:
        return False
    return {"memory", "pids"} <= _words(control)


def _first_version(own: Mapping[str, Path]) -> Iterator[Hierarchy]:
    # Below its own group here, which may hold processes: version 1 has no rule against it.
    parents = {name: own[name] for name in ("memory", "pids", "cpu") if name in own and os.access(own[name], os.W_OK)}
    if {"memory", "pids"} <= parents.keys():
        yield Hierarchy("cgroup v1", parents)


def groups_of(proc: Path, mounts: Path = Path("/proc/self/mountinfo")) -> dict[str, Path]:
    """Folder of a process's group by controller, as this process sees it; version 2 is the controller ''."""
    places: dict[str, str] = {}
    for line in _lines(proc / "cgroup"):
        _, controllers, path = line.split(":", 2)
        places |= dict.fromkeys(controllers.split(","), path)
    found: dict[str, Path] = {}
    for line in _lines(mounts):
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, mounted = left.split()[3:5]
        names = [""] if kind == "cgroup2" else [name for name in options.split(",") if name in places]
        for name in names:
            own = places.get(name)
            if own is not None and Path(own).is_relative_to(root):
                found.setdefault(name, Path(mounted, Path(own).relative_to(root)))
    return found


def started(pid: int) -> int | None:
    """When the process began, in clock ticks since the boot; None when there is none of that number."""
    for line in _lines(Path(f"/proc/{pid}/stat")):
        return int(line.rpartition(")")[2].split()[19])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _words(path: Path) -> set[str]:
    return {word for line in _lines(path) for word in line.split()}


def _field(path: Path, name: str) -> int:
    for line in _lines(path):
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0

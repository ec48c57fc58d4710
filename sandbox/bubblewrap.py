"""The default backend: one run in namespaces of its own, seeing only what it needs (bubblewrap).

Covered: host files, secrets in environments, network, other processes, leftovers, memory, processes, disk, time, output.
Not covered: the kernel itself, a GPU driver, hardware side channels. docs/sandbox.md has the whole table.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from . import bwrap_run, cgroups, command, diagnose, gpu, privileges, results, seccomp, view, warm, warm_run
from .bwrap import Bwrap, find_bwrap
from .bwrap_run import Plan
from .limits import room_to_start
from .processes import require_proc_children
from .runner import Limits, RunRequest, RunResult
from .slot import take
from .supervise import Cancel, adopt_orphans

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mode:
    """How bubblewrap is started on this host, as the preflight found it to work."""

    drop: bool
    """Give up root first; needs root."""
    disable_userns: bool


class Bubblewrap:
    """Runs requests under bubblewrap. Made once, used from any number of threads.

    `run` must be called from a thread that stays until it returns, as every blocking call does: the kernel ends the
    sandbox with the thread that started it, so that nothing outlives this process.

    As root it becomes an ordinary user first, unless the run's folders are not readable for others; then it stays root
    inside its user namespace, and `RunResult.backend` is `bubblewrap-as-root`. A run that names modules to preload starts
    warm where it can (see `warm.py`): `bubblewrap-warm`.
    """

    name = "bubblewrap"

    def __init__(self, program: Bwrap | None = None, *, drop: bool | None = None) -> None:
        """Raises SandboxError, with the reason and the fix, when no sandbox can be started on this host.

        `drop` decides whether root is given up; the preflight does when it is None.
        """
        require_proc_children()
        adopt_orphans()
        self.program = program or find_bwrap()
        self._prlimit = shutil.which("prlimit", path="/usr/bin:/bin")
        self._seccomp = seccomp.program()
        self._cancel = Cancel()
        self._readable: dict[Path, bool] = {}
        self._groups = cgroups.find()
        # Not without the filter: below the fork server's, a run could make user namespaces.
        self._warm = warm.servers_of(self) if self._seccomp and self.program.flags >= warm.NEEDED else None
        parts = (
            self._groups.kind if self._groups else "",
            "watchdog",
            "rlimits" if self._prlimit else "",
            "seccomp" if self._seccomp else "",
        )
        self.limits_kind = ", ".join(filter(None, parts))
        self.mode = self._preflight(drop)

    def run(self, request: RunRequest) -> RunResult:
        started = time.monotonic()
        command.check_names(request.mounts)
        if stop := room_to_start(request.out):
            waited = time.monotonic() - started
            return results.refused(stop, waited, backend=self.name, limits_kind=self.limits_kind)
        if not request.work_writable:
            return self._run(request, started, self.mode)
        with tempfile.TemporaryDirectory(dir=request.out.parent, prefix=".work-") as folder:
            copy = Path(folder, "work")
            command.throwaway_copy(request.work, copy)
            return self._run(replace(request, work=copy), started, self.mode)

    def cancel(self) -> None:
        self._cancel.all()

    def _run(self, request: RunRequest, started: float, mode: Mode) -> RunResult:
        drop = mode.drop and self._anyone_may_read(request)
        with self._cancel.event() as cancel, take(request.limits, self._groups, drop=drop) as slot:
            as_root = os.geteuid() == 0 and not drop
            plan = Plan(
                program=self.program,
                request=request,
                started=started,
                cancel=cancel,
                backend=f"{self.name}-as-root" if as_root else self.name,
                limits_kind=self.limits_kind,
                disable_userns=mode.disable_userns,
                seccomp=self._seccomp,
                prlimit=self._prlimit,
                slot=slot,
            )
            if self._warm and (key := warm.key_of(request, drop=drop)):
                result = self._warm.run(key, plan, lambda server: self._run_warm(plan, server))
                if result:
                    return result
            return self._show(plan, lambda source: bwrap_run.run(plan, source))

    @property
    def starts_warm(self) -> bool:
        """Whether runs that name modules may start warm: bubblewrap has the flags, and there is a filter for this machine."""
        return self._warm is not None

    def _run_warm(self, plan: Plan, server: warm.Server) -> tuple[RunResult, bool]:
        """The result, and whether the server can be used again."""
        backend = plan.backend.replace(self.name, f"{self.name}-warm")
        plan = replace(plan, backend=backend, slot=replace(plan.slot, uid=server.uid))
        with server.joined() as joined:
            return self._show(plan, lambda source: warm_run.run(plan, source, joined))

    def _show(self, plan: Plan, run: Callable[[Callable[[Path], str]], T]) -> T:
        """What `run` returns, called where the user the slot runs as can reach the run's folders."""
        request = plan.request
        paths = view.sources(request) | {self.program.root: self.program.root}
        if os.geteuid() != 0:
            return run(lambda path: str(paths.get(path, path)))
        # Inside, root has no power over another user's files either.
        for folder in filter(None, (request.out, request.work if request.work_writable else None, request.build)):
            privileges.give(folder, plan.slot.uid or 0)
        return privileges.in_private_mounts(
            paths,
            run,
            interrupt=lambda: os.eventfd_write(plan.cancel, 1),
            devices=gpu.sources(request.gpu_view),
        )

    def _anyone_may_read(self, request: RunRequest) -> bool:
        """Whether an ordinary user could read what the run is shown. Mounts are remembered: they do not change."""
        for path in request.mounts.values():
            if path not in self._readable:
                self._readable[path] = privileges.readable_by_anyone(view.real(path))
            if not self._readable[path]:
                return False
        # Of an installation only the top: a walk over tens of thousands of files would tell little more.
        if not all(path.stat().st_mode & 0o005 == 0o005 for path in request.interpreter.prefixes):
            return False
        return request.work_writable or privileges.readable_by_anyone(view.real(request.work))

    def _preflight(self, drop: bool | None) -> Mode:
        """The strictest way of starting that works here."""
        root = os.geteuid() == 0
        drops = (True, False) if drop is None else (drop,)
        faults = []
        for dropped in drops if root else (False,):
            for disabled in (True, False) if "--disable-userns" in self.program.flags else (False,):
                result = self._try(Mode(dropped, disabled))
                if result.status == "ok":
                    return Mode(dropped, disabled)
                faults.append(result.log_head or result.reason)
        raise diagnose.unavailable(faults[-1], str(self.program.path))

    def _try(self, mode: Mode) -> RunResult:
        with tempfile.TemporaryDirectory() as folder:
            work, out = Path(folder, "work"), Path(folder, "out")
            work.mkdir()
            out.mkdir()
            limits = Limits(wall_seconds=30, memory_mb=256, disk_mb=64)
            request = RunRequest(("true",), command.system_interpreter(), work, out, limits)
            return self._run(request, time.monotonic(), mode)

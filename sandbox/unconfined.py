"""A plain subprocess with limits. NO SANDBOX: the command reads, writes and reaches whatever its user can.

Only for code one would run anyway, and only when asked for by name. Limits are kept as well as they can be from outside;
a process that leaves its parents and wipes its own environment stays behind.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from . import cgroups, command, gpu, processes, results
from .limits import Stop, Watchdog, rlimits, room_to_start
from .output import OutputRing
from .runner import RunRequest, RunResult
from .slot import Slot, take
from .supervise import Cancel, Supervisor, adopt_orphans, kill, reap, wait_gone


class Unconfined:
    """Runs requests as plain subprocesses. `hide` and read-only folders are not enforced."""

    name = "unconfined"

    def __init__(self) -> None:
        processes.require_proc_children()
        adopt_orphans()
        self._prlimit = shutil.which("prlimit", path="/usr/bin:/bin")
        self._cancel = Cancel()
        self._groups = cgroups.find()
        parts = (self._groups.kind if self._groups else "", "watchdog", "rlimits" if self._prlimit else "")
        self.limits_kind = ", ".join(filter(None, parts))

    def run(self, request: RunRequest) -> RunResult:
        started = time.monotonic()
        command.check_names(request.mounts)
        if stop := room_to_start(request.out):
            waited = time.monotonic() - started
            return results.refused(stop, waited, backend=self.name, limits_kind=self.limits_kind)
        # A folder of its own for HOME and TMPDIR, on the disk of `out` and counted with it.
        with tempfile.TemporaryDirectory(dir=request.out.parent, prefix=".tmp-", ignore_cleanup_errors=True) as folder:
            scratch = Path(folder)
            if request.work_writable:
                command.throwaway_copy(request.work, scratch / "work")
                request = replace(request, work=scratch / "work")
            with self._cancel.event() as cancel, take(request.limits, self._groups, drop=False) as slot:
                return self._run(request, scratch, _Held(started, cancel, slot))

    def cancel(self) -> None:
        self._cancel.all()

    def _run(self, request: RunRequest, scratch: Path, held: "_Held") -> RunResult:
        places = {"work": request.work, "out": request.out, **request.mounts}
        inside = {name: str(path.absolute()) for name, path in places.items()}
        (scratch / "tmp").mkdir()
        mark = f"BRANCHLAB_RUN={scratch.name}"
        environment = gpu.environment(request.gpu) | command.environment(
            request, inside, home=str(scratch), tmp=str(scratch / "tmp")
        )
        environment |= dict([mark.split("=")])
        ring = OutputRing(request.limits.log_kb * 1024)
        folders = [request.out, scratch, *([request.build] if request.build else [])]
        watchdog = Watchdog(request.limits, folders, gpu=request.gpu_watch)

        def ended(stop: Stop | None, code: int | None, cpu: float) -> RunResult:
            seconds = time.monotonic() - held.started
            ending = results.Ending(stop, code, seconds, max(cpu, watchdog.cpu_seconds), watchdog.peak_memory_mb)
            return results.result(ending, ring, request.out, backend=self.name, limits_kind=self.limits_kind)

        with ExitStack() as stack:
            output, theirs = os.pipe2(os.O_CLOEXEC)
            stack.callback(os.close, output)
            try:
                process = self._start(request, command.argv(request, inside), environment, theirs)
            except OSError as error:
                # A shell's own code for a command that cannot be run: the command's fault, as inside a sandbox.
                ring.feed(f"{error.strerror}: {error.filename}\n".encode())
                return ended(None, 127, 0.0)
            finally:
                os.close(theirs)
            pidfd = os.pidfd_open(process.pid)
            stack.callback(os.close, pidfd)
            supervisor = Supervisor(
                output, ring, watchdog, deadline=held.started + request.limits.wall_seconds, cancel=held.cancel
            )
            code, cpu = None, 0.0
            try:
                held.slot.admit(process.pid)
                stop = supervisor.follow(pidfd, lambda: held.slot.check(watchdog, process.pid))
            finally:
                held.slot.end()
                kill(pidfd)
                _kill_marked(mark.encode())
                _forget(pid for pid in watchdog.seen if pid != process.pid)
                if wait_gone(pidfd) and (used := reap(process.pid)):
                    code, cpu = os.waitstatus_to_exitcode(used[0]), used[1]
            supervisor.drain()
        return ended(stop or held.slot.final_check(watchdog), code, cpu)

    def _start(
        self, request: RunRequest, words: list[str], environment: Mapping[str, str], output: int
    ) -> "subprocess.Popen[bytes]":
        if self._prlimit:
            # RLIMIT_NPROC counts the whole account here, not the run: the watchdog counts instead.
            limits = {name: value for name, value in rlimits(request.limits).items() if name != "nproc"}
            words = [self._prlimit, *(f"--{name}={value}:{value}" for name, value in limits.items()), "--", *words]
        process = subprocess.Popen(
            words, env=environment, cwd=request.work, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        process.returncode = 0  # reaped here with its CPU time, and not by Popen
        return process


@dataclass(frozen=True, slots=True)
class _Held:
    started: float
    """time.monotonic() when the slot was taken."""
    cancel: int
    """Descriptor that becomes readable when the run must end."""
    slot: Slot


def _forget(pids: Iterable[int]) -> None:
    """Reaps those that ended and became this process's children (see `adopt_orphans`)."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _kill_marked(mark: bytes) -> None:
    """Ends every process that still carries the run's mark in its environment, again until a look finds none."""
    for _ in range(10):
        found = processes.marked(mark)
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError):
                pidfd = os.pidfd_open(pid)
                try:
                    # Looked at once more: the number may be another process's by now.
                    if pid in processes.marked(mark, [pid]):
                        kill(pidfd)
                        wait_gone(pidfd)
                        reap(pid)
                finally:
                    os.close(pidfd)

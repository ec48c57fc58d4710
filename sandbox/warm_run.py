"""One run that starts warm: bubblewrap makes its namespaces and its view, a child of the fork server enters them."""

import json
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from ..targets.errors import SandboxError
from . import bwrap_run, command, processes, results, view
from .bwrap_run import START_SECONDS, Launch, Plan, Process
from .diagnose import explain
from .limits import Stop, Watchdog, rlimits
from .output import OutputRing
from .runner import RunResult
from .supervise import Supervisor, wait_gone
from .warm_channel import Answer, Broken, Channel, wait
from .warm_fit import form_of

RLIMITS = {"core": resource.RLIMIT_CORE, "fsize": resource.RLIMIT_FSIZE, "nofile": resource.RLIMIT_NOFILE,
           "nproc": resource.RLIMIT_NPROC}  # fmt: skip
HOLDER = "/usr/bin/cat"
"""Keeps the namespaces until a child is in them, and echoes when they are ready."""
HIT_SECONDS = 1.0
"""Within which bubblewrap's own processes follow a first process inside that was killed."""
SIGKILLED = 128 + 9


@dataclass(frozen=True, slots=True)
class Joined:
    """What a run takes from its fork server, whose it stays."""

    control: socket.socket
    user: int
    """Descriptors of its user and its process namespace."""
    process: int


def run(plan: Plan, source: Callable[[Path], str], joined: Joined) -> tuple[RunResult, bool]:
    """What came of the run, and whether the fork server can be used again. `source` says where bubblewrap finds a host
    path. Raises Broken when nothing of the run has begun."""
    with ExitStack() as stack:
        warm = _WarmRun(plan, source, joined, stack)
        return warm.follow(), warm.answer is not None


class _WarmRun:
    def __init__(self, plan: Plan, source: Callable[[Path], str], joined: Joined, stack: ExitStack) -> None:
        self._plan, self._source, self._joined, self._stack = plan, source, joined, stack
        request = plan.request
        self._places = view.places(request)
        self._ring = OutputRing(request.limits.log_kb * 1024)
        self._out, work = (Path(source(folder)) for folder in (request.out, request.work))
        written = [self._out, work] if request.work_writable else [self._out]
        self._watchdog = Watchdog(request.limits, written, view.MEMORY_FOLDERS)
        self._channel = Channel(stack)
        self._outer: Process | None = None
        self._inner: Process | None = None
        self.answer: Answer | None = None
        self._begun = False
        self._strays = 0.0
        """CPU seconds of what had lost its parent: its new one is nobody's that we wait for."""

    def follow(self) -> RunResult:
        plan, gone = self._plan, True
        supervisor = Supervisor(
            self._channel.output,
            self._ring,
            self._watchdog,
            deadline=plan.started + plan.request.limits.wall_seconds,
            cancel=plan.cancel,
        )
        try:
            stop = self._follow(supervisor)
        except Broken as error:
            if not self._begun:
                raise
            stop = Stop("sandbox_failed", f"warm start: {error}", "sandbox")
        finally:
            plan.slot.end()
            if self._outer:
                gone = bwrap_run.end(self._outer, self._inner)[2]
        supervisor.drain()
        if not gone and stop is None:
            stop = Stop("sandbox_failed", "the run's processes could not be killed", "sandbox")
        if self.answer is None:  # it was stopped: only now can the fork server know what it used
            with suppress(Broken):
                self.answer = self._channel.answer()
        return self._result(stop)

    def _follow(self, supervisor: Supervisor) -> Stop | None:
        plan = self._plan
        root, holder = self._make_namespaces()
        self._ask(holder)
        child = self._channel.ready()
        self._watchdog.also = (child,)
        pidfd = bwrap_run.pidfd_of(child, self._stack)
        for pid in (root, child):
            plan.slot.admit(pid)
        self._begun = True
        self._channel.release()
        stop = supervisor.follow(pidfd, lambda: plan.slot.check(self._watchdog, root))
        self._strays = processes.cpu_seconds(processes.tree(root).pids)
        if stop is None:
            self.answer = self._channel.answer()
            stop = self._hit()
        return stop

    def _make_namespaces(self) -> tuple[int, int]:
        """Starts bubblewrap, waits until the view is whole; the first process inside, and a descriptor of the one that
        keeps the namespaces."""
        status, status_end = os.pipe2(os.O_CLOEXEC)
        held, hold = os.pipe2(os.O_CLOEXEC)
        echo, echo_end = os.pipe2(os.O_CLOEXEC)
        with ExitStack() as ours:
            for descriptor in (status_end, held, echo_end):
                ours.callback(os.close, descriptor)
            for descriptor in (status, hold, echo):
                self._stack.callback(os.close, descriptor)
            etc = {path: bwrap_run.memory_file(ours, text.encode()) for path, text in view.ETC.items()}
            filter_ = bwrap_run.memory_file(ours, self._plan.seccomp or b"")
            namespaces = (self._joined.user, self._joined.process)
            words = view.arguments(
                self._plan.request,
                {},
                view.Descriptors(status_end, None, etc, filter_, namespaces),
                disable_userns=False,
                source=self._source,
            )
            passed = [status_end, filter_, *etc.values(), *namespaces]
            launch = Launch(words, [HOLDER], passed, output=echo_end, stdin=held)
            self._outer = bwrap_run.launch(self._plan, self._source, launch, self._stack)
        _, pid = bwrap_run.first_status(status)
        if pid is not None:
            self._inner = bwrap_run.watch(pid, self._stack)
        with suppress(BrokenPipeError):
            os.write(hold, b"?")
        wait(echo, START_SECONDS)
        said = os.read(echo, 4096)
        if said != b"?" or self._inner is None:
            raise Broken(explain(said.decode(errors="replace"), str(self._plan.program.path))[0])
        holder = processes.tree(self._inner.pid).pids[1:]
        if len(holder) != 1:
            raise Broken("its namespaces hold no process")
        return self._inner.pid, bwrap_run.pidfd_of(holder[0], self._stack)

    def _ask(self, namespaces: int) -> None:
        """Has the fork server make a child for this run."""
        request = self._plan.request
        words = command.argv(request, self._places)
        form = form_of(("python", *words[1:]))
        if form is None:
            raise SandboxError("not a command that can start warm", found=" ".join(request.argv[:3]))
        asked = {
            "kind": form.kind,
            "target": form.target,
            "argv": form.argv,
            "words": words,
            "cwd": self._places["work"],
            "limits": [(RLIMITS[name], value) for name, value in rlimits(request.limits).items()],
            "seccomp": (self._plan.seccomp or b"").hex(),
        }
        with ExitStack() as ours:
            self._channel.give(
                self._joined.control, namespaces, bwrap_run.memory_file(ours, json.dumps(asked).encode())
            )

    def _hit(self) -> Stop | None:
        """Whether somebody outside killed the first process inside, which nothing inside can do.

        When the process that keeps the namespaces is killed, which the run can do, the first process ends too: it then
        has told bubblewrap, which ends as well.
        """
        answer, outer, inner = self.answer, self._outer, self._inner
        if answer is None or outer is None or inner is None or answer.code != SIGKILLED:
            return None
        if wait_gone(inner.pidfd, HIT_SECONDS) and not wait_gone(outer.pidfd, HIT_SECONDS):
            return Stop("sandbox_failed", "the sandbox's first process was killed from outside", "sandbox")
        return None

    def _result(self, stop: Stop | None) -> RunResult:
        plan, watchdog = self._plan, self._watchdog
        answer = self.answer or Answer(1, 0.0, 0.0)
        ending = results.Ending(
            stop or plan.slot.final_check(watchdog),
            answer.code,
            time.monotonic() - plan.started,
            max(answer.cpu + self._strays, watchdog.cpu_seconds),
            max(answer.memory, watchdog.peak_memory_mb),
        )
        return results.result(ending, self._ring, self._out, backend=plan.backend, limits_kind=plan.limits_kind)

"""One run in a container, from the client's start to the container's removal."""

import json
import os
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from ..targets.errors import SandboxError
from . import docker_view, engine_faults, engine_group, processes, results, view
from .docker_view import Box
from .engine import Engine, client_environment
from .leftovers import reap_monitors
from .limits import INTERVAL, Stop, Watchdog
from .output import OutputRing
from .runner import RunRequest, RunResult
from .slot import Slot
from .supervise import KILL_WAIT, Supervisor, kill, reap, wait_gone

START_SECONDS = 60.0
"""Within which the engine must have started the container's first process: generous, for a busy machine."""
SEARCH_INTERVAL = 0.01
ASK_AFTER = 2.0
"""Seconds until the engine itself is asked for a first process that was not found by its mark."""
FOUND = Stop("ok", "the container's first process is there")
NEVER_STARTED = "0001-01-01"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one run needs."""

    engine: Engine
    request: RunRequest
    box: Box
    slot: Slot
    started: float
    """time.monotonic() when the slot was taken."""
    cancel: int
    """Descriptor that becomes readable when the run must end."""
    limits_kind: str


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    pidfd: int


@dataclass(frozen=True, slots=True)
class _State:
    """What the engine says of a container that is over."""

    code: int | None
    """None when it was never started: the engine's fault, whatever status its client ended with."""
    out_of_memory: bool
    removed: bool


def run(plan: Plan) -> RunResult:
    """What came of the run; the container is gone when it returns. Raises SandboxError for a request that cannot be shown
    to a container."""
    request = plan.request
    ring = OutputRing(request.limits.log_kb * 1024)
    folders = [request.out, request.work] if request.work_writable else [request.out]
    watchdog = Watchdog(request.limits, folders, view.MEMORY_FOLDERS, gpu=request.gpu_watch)
    words = docker_view.arguments(plan.engine, request, plan.box)
    with ExitStack() as stack:
        output, theirs = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, output)
        client = _start(plan, words, theirs, stack)
        followed = _Followed(plan, client, watchdog, stack)
        state = None
        try:
            followed.until_over(output, ring)
        finally:
            state = _end(plan, client, followed)
        Supervisor(output, ring, watchdog, deadline=0.0, cancel=plan.cancel).drain()
    ending = results.Ending(
        _verdict(followed, state, ring, watchdog),
        state.code if state else None,
        time.monotonic() - plan.started,
        max(followed.cpu_seconds, watchdog.cpu_seconds),
        watchdog.peak_memory_mb,
    )
    return results.result(ending, ring, request.out, backend=plan.engine.kind, limits_kind=plan.limits_kind)


def _start(plan: Plan, words: list[str], output: int, stack: ExitStack) -> _Process:
    """Starts the engine's client, which stays as long as the container runs."""
    try:
        process = subprocess.Popen(
            [*plan.engine.command, *words], env=client_environment(), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise SandboxError(
            "the container engine cannot be started", found=error.strerror or "", where=plan.engine.command[0]
        ) from None
    finally:
        os.close(output)
    process.returncode = 0  # reaped by `_end`, and not by Popen
    return _open(process.pid, stack)


def _open(pid: int, stack: ExitStack) -> _Process:
    descriptor = os.pidfd_open(pid)
    stack.callback(os.close, descriptor)
    return _Process(pid, descriptor)


class _Followed:
    """A container from its start to its end: first its client is watched, then its own first process."""

    def __init__(self, plan: Plan, client: _Process, watchdog: Watchdog, stack: ExitStack) -> None:
        self._plan, self._client, self._watchdog, self._stack = plan, client, watchdog, stack
        self._ask_due = time.monotonic() + ASK_AFTER
        self.first: _Process | None = None
        self.stop: Stop | None = None
        self.cpu_seconds = 0.0
        self._group = engine_group.EngineGroup(None, None)

    def until_over(self, output: int, ring: OutputRing) -> None:
        plan, watchdog = self._plan, self._watchdog

        def supervisor(deadline: float) -> Supervisor:
            return Supervisor(output, ring, watchdog, deadline=deadline, cancel=plan.cancel)

        stop = supervisor(plan.started + START_SECONDS).follow(self._client.pidfd, self._search)
        if stop and stop.kind == "timeout":
            stop = Stop("sandbox_failed", f"the engine started no container within {START_SECONDS:.0f} s", "sandbox")
        if stop is FOUND and self.first:
            deadline = plan.started + plan.request.limits.wall_seconds
            stop = supervisor(deadline).follow(self.first.pidfd, self._look)
            # At once: the engine is about to remove the group.
            self.cpu_seconds = max(self.cpu_seconds, self._group.cpu_seconds())
            if stop is None:
                stop = self._group.group.stop() if self._group.group else None
                # The client still has output to hand on.
                supervisor(time.monotonic() + KILL_WAIT).follow(self._client.pidfd, self._rest)
        self.stop = None if stop is FOUND else stop

    def _search(self) -> Stop | None:
        """FOUND once the container's first process runs."""
        self._watchdog.due = time.monotonic() + SEARCH_INTERVAL
        pid = next(
            filter(_first_of_namespace, processes.marked(f"{docker_view.MARK}={self._plan.box.name}".encode())), 0
        )
        if not pid and time.monotonic() >= self._ask_due:
            # Code that wiped its own environment at once is found all the same.
            pid = _inspect(self._plan).get("Pid") or 0
            self._ask_due = time.monotonic() + ASK_AFTER
        if not pid:
            return None
        try:
            self.first = _open(pid, self._stack)
        except ProcessLookupError:
            if _inspect(self._plan).get("Pid") != pid:
                return None  # it has ended since
            return Stop("sandbox_failed", "the container's processes are not on this host", "sandbox")
        self._group = engine_group.find(pid)
        return FOUND

    def _look(self) -> Stop | None:
        self.cpu_seconds = max(self.cpu_seconds, self._group.cpu_seconds())
        return replace(self._plan.slot, group=self._group.group).check(
            self._watchdog, self.first.pid if self.first else 0
        )

    def _rest(self) -> None:
        self._watchdog.due = time.monotonic() + INTERVAL


def _first_of_namespace(pid: int) -> bool:
    """Whether it is the first process of a process namespace below this one."""
    with suppress(*processes.GONE), open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        numbers = next((line.split()[1:] for line in file if line.startswith("NSpid:")), [])
        return len(numbers) > 1 and numbers[-1] == "1"
    return False


def _end(plan: Plan, client: _Process, followed: _Followed) -> _State | None:
    """Ends and removes the container whatever it does; None when the engine no longer answers or processes are left."""
    first = followed.first
    with suppress(PermissionError):  # the engine is asked as well
        if first:
            kill(first.pidfd)
    try:
        if not wait_gone(client.pidfd, 0.0):
            plan.engine.ask("kill", "--signal", "KILL", plan.box.name)
        if not wait_gone(client.pidfd, KILL_WAIT / 2):
            kill(client.pidfd)
        wait_gone(client.pidfd)
        reap(client.pid)
        state = _inspect(plan)
        plan.engine.ask("rm", "--force", "--volumes", plan.box.name)
        reap_monitors()
        removed = not _inspect(plan) if state.get("Running") else True
    except SandboxError:
        return None
    gone = first is None or wait_gone(first.pidfd)
    started = str(state.get("StartedAt") or NEVER_STARTED)
    code = None if started.startswith(NEVER_STARTED) else int(state.get("ExitCode", 1))
    return _State(code, bool(state.get("OOMKilled")), gone and removed)


def _inspect(plan: Plan) -> dict[str, Any]:
    """The engine's own record of the container's state; empty when there is no such container."""
    done = plan.engine.ask("container", "inspect", "--format", "{{json .State}}", plan.box.name)
    with suppress(ValueError):
        found = json.loads(done.stdout)
        return found if isinstance(found, dict) else {}
    return {}


def _verdict(followed: _Followed, state: _State | None, ring: OutputRing, watchdog: Watchdog) -> Stop | None:
    """Why the run was ended; None when it ended by itself and within its limits."""
    if state is None or not state.removed:
        return Stop("sandbox_failed", "the container could not be removed, or its engine no longer answers", "sandbox")
    if followed.stop:
        return followed.stop
    if state.code is None:
        return Stop("sandbox_failed", engine_faults.explain(ring.texts()[0])[0], "sandbox")
    if state.out_of_memory:
        return Stop("out_of_memory", "the kernel ended it at its memory limit", "memory")
    return watchdog.final_check()

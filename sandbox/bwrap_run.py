"""One run of bubblewrap, from the pipes to the last process reaped."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from . import command, gpu, results, view
from .bwrap import Bwrap
from .diagnose import explain
from .limits import Stop, Watchdog, rlimits
from .output import OutputRing
from .runner import RunRequest, RunResult
from .slot import Slot
from .supervise import Supervisor, kill, reap, wait_gone

START_SECONDS = 20.0
"""Within which bubblewrap must have made its first inner process: generous, for a busy machine."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one run needs."""

    program: Bwrap
    request: RunRequest
    started: float
    """time.monotonic() when the slot was taken."""
    cancel: int
    """Descriptor that becomes readable when the run must end."""
    backend: str
    limits_kind: str
    disable_userns: bool
    seccomp: bytes | None
    prlimit: str | None
    """Path of prlimit(1), which sets the kernel's limits inside: from outside it takes a privilege."""
    slot: Slot


@dataclass(frozen=True, slots=True)
class _Channels:
    """Our ends of the pipes, and theirs."""

    output: int
    status: int
    release: int
    theirs: tuple[int, int, int]
    """Their ends, in the same order."""


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    pidfd: int


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of bubblewrap."""

    words: list[str]
    """Its arguments, without the command."""
    command: list[str]
    passed: list[int]
    """Descriptors that the arguments name."""
    output: int
    stdin: int = subprocess.DEVNULL
    limited: bool = True
    """Whether bubblewrap itself is held to the limits of the request."""


def run(plan: Plan, source: Callable[[Path], str]) -> RunResult:
    """What came of the run. `source` says where bubblewrap finds a host path."""
    request = plan.request
    ring = OutputRing(request.limits.log_kb * 1024)
    # By their staged paths: the private mounts of a thread that gave up root may hide the others.
    out, work = (Path(source(folder)) for folder in (request.out, request.work))
    written = [out, *([work] if request.work_writable else []), *([Path(source(b))] if (b := request.build) else [])]
    watchdog = Watchdog(request.limits, written, view.MEMORY_FOLDERS, gpu=request.gpu_watch)
    with ExitStack() as stack:
        channels = _channels(stack)
        outer = _start(plan, source, channels, stack)
        inner = None
        status = b""
        stop: Stop | None = None
        try:
            supervisor = Supervisor(
                channels.output, ring, watchdog, deadline=plan.started + request.limits.wall_seconds, cancel=plan.cancel
            )
            status, pid = first_status(channels.status)
            if pid is not None and (inner := watch(pid, stack)):
                plan.slot.admit(inner.pid)
                _release(channels.release)
                stop = supervisor.follow(outer.pidfd, lambda: plan.slot.check(watchdog, pid))
        finally:
            plan.slot.end()
            cpu, peak, gone, hit = end(outer, inner)
        supervisor.drain()
        code = _exit_code(status + _rest(channels.status))
    if not gone and stop is None:
        stop = Stop("sandbox_failed", "the run's processes could not be killed", "sandbox")
    elif stop is None and code is None:
        stop = Stop("sandbox_failed", explain(ring.texts()[0], str(plan.program.path))[0], "sandbox")
    elif stop is None:
        stop = plan.slot.final_check(watchdog)
        if stop is None and hit:
            stop = Stop("sandbox_failed", "the sandbox's first process was killed from outside", "sandbox")
    ending = results.Ending(
        stop, code, time.monotonic() - plan.started, max(cpu, watchdog.cpu_seconds), max(peak, watchdog.peak_memory_mb)
    )
    return results.result(ending, ring, out, backend=plan.backend, limits_kind=plan.limits_kind)


def _channels(stack: ExitStack) -> _Channels:
    output, status, release = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
    for descriptor in (output[0], status[0], release[1]):
        stack.callback(os.close, descriptor)
    return _Channels(output[0], status[0], release[1], (output[1], status[1], release[0]))


def _start(plan: Plan, source: Callable[[Path], str], channels: _Channels, stack: ExitStack) -> Process:
    """Starts bubblewrap; it waits for `_release` before it runs the command."""
    output, status, block = channels.theirs
    with ExitStack() as ours:
        for descriptor in channels.theirs:
            ours.callback(os.close, descriptor)
        request = plan.request
        places = view.places(request)
        environment = gpu.environment(request.gpu) | command.environment(
            request, places, home=view.HOME, tmp=view.MEMORY_FOLDERS[1]
        )
        etc = {path: memory_file(ours, text.encode()) for path, text in view.ETC.items()}
        filter_ = memory_file(ours, plan.seccomp) if plan.seccomp else None
        words = view.arguments(
            request,
            environment,
            view.Descriptors(status, block, etc, filter_),
            disable_userns=plan.disable_userns,
            devices=gpu.arguments(request.gpu_view, request.gpu),
            source=source,
        )
        passed = [status, block, *etc.values(), *([filter_] if filter_ is not None else [])]
        words_inside = [*_limited(plan), *command.argv(request, places)]
        return launch(plan, source, Launch(words, words_inside, passed, output), stack)


def launch(plan: Plan, source: Callable[[Path], str], what: Launch, stack: ExitStack) -> Process:
    """Starts bubblewrap as the slot's user."""
    with ExitStack() as ours:
        # Through a file, so that host paths do not show in the command line of the sandbox's first process.
        listed = memory_file(ours, b"".join(word.encode() + b"\0" for word in what.words))
        process = subprocess.Popen(
            [
                *(_outer_limits(plan) if what.limited else ()),
                source(plan.program.path),
                "--args",
                str(listed),
                "--",
                *what.command,
            ],
            env={},  # /proc/1/environ inside is bubblewrap's own environment
            stdin=what.stdin,
            stdout=what.output,
            stderr=subprocess.STDOUT,
            cwd="/",
            pass_fds=[listed, *what.passed],
            start_new_session=True,
            user=plan.slot.uid,
            group=plan.slot.uid,
            extra_groups=None if plan.slot.uid is None else gpu.groups(plan.request.gpu_view),
        )
    process.returncode = 0  # reaped by `end`, with its CPU time, and not by Popen
    return Process(process.pid, pidfd_of(process.pid, stack))


def _limited(plan: Plan) -> list[str]:
    if plan.prlimit is None:
        return []
    return [plan.prlimit, *(f"--{name}={value}:{value}" for name, value in rlimits(plan.request.limits).items()), "--"]


def _outer_limits(plan: Plan) -> list[str]:
    """For bubblewrap itself: its own first process inside is the run's to write into. Not the number of processes, which
    outside counts the whole account's."""
    return [word for word in _limited(plan) if not word.startswith(("--nproc=", "--nofile="))]


def memory_file(stack: ExitStack, data: bytes) -> int:
    descriptor = os.memfd_create("branchlab", os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def pidfd_of(pid: int, stack: ExitStack) -> int:
    descriptor = os.pidfd_open(pid)
    stack.callback(os.close, descriptor)
    return descriptor


def first_status(status: int) -> tuple[bytes, int | None]:
    """Reads up to the line that names the inner process; None when bubblewrap ended before it made one."""
    data = b""
    poller = select.poll()
    poller.register(status, select.POLLIN)
    deadline = time.monotonic() + START_SECONDS
    while b"\n" not in data:
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return data, None
        chunk = os.read(status, 4096)
        if not chunk:
            return data, None
        data += chunk
    pid = _field(data, "child-pid")
    return data, pid


def watch(pid: int, stack: ExitStack) -> Process | None:
    with suppress(ProcessLookupError):
        return Process(pid, pidfd_of(pid, stack))
    return None


def _release(descriptor: int) -> None:
    """Lets the run begin."""
    with suppress(BrokenPipeError):
        os.write(descriptor, b"1")


def end(outer: Process, inner: Process | None) -> tuple[float, float, bool, bool]:
    """Kills what is left and reaps it: CPU seconds of the whole tree, largest process (MB), whether all is gone, whether
    somebody killed the inner one, which nothing inside can do."""
    cpu = peak = 0.0
    gone, hit = True, False
    # The inner one first: it is the init of its namespace, and everything in it ends with it.
    for process in (inner, outer):
        if process:
            kill(process.pidfd)
    for process in (outer, inner):
        if process is None:
            continue
        if not wait_gone(process.pidfd):
            gone = False
        # The inner one is ours to wait for only once the outer one has left it behind unreaped. It always does when the
        # inner one told it the program's exit code; it reaps one that ended without a word.
        elif used := reap(process.pid):
            cpu += used[1]
            peak = max(peak, used[2]) if process is inner else peak
        elif process is inner:
            hit = True
    return cpu, peak, gone, hit


def _rest(status: int) -> bytes:
    os.set_blocking(status, False)
    data = b""
    with suppress(BlockingIOError):
        while chunk := os.read(status, 4096):
            data += chunk
    return data


def _exit_code(status: bytes) -> int | None:
    """The program's exit code; None when bubblewrap never ran it, which is the sandbox's fault and not the program's."""
    return _field(status, "exit-code")


def _field(status: bytes, name: str) -> int | None:
    for line in status.splitlines():
        with suppress(json.JSONDecodeError):
            value = json.loads(line).get(name)
            if isinstance(value, int):
                return value
    return None

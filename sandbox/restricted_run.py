"""One run of the `restricted` backend, from the pipes to the last process gone."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from . import command, gpu, restricted_view, results
from .launcher import GO
from .limits import Stop, Watchdog, rlimits
from .output import OutputRing
from .runner import RunRequest, RunResult
from .shared_memory import SHARED_MEMORY
from .slot import Slot
from .supervise import Supervisor, kill, reap, wait_gone

START_SECONDS = 20.0
"""Within which the launcher must have made the command's process: generous, for a busy machine."""
# Not `-m`: isolated mode has no folder of ours on its path. It comes last there, so nothing in it hides a standard module.
LAUNCH = "import sys; sys.path.append(sys.argv[1]); from {package}.launcher import main; main()"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one run needs."""

    request: RunRequest
    scratch: Path
    """Holds HOME and TMPDIR, and the copy of a work tree that is written to; ours to remove."""
    started: float
    """time.monotonic() when the slot was taken."""
    cancel: int
    """Descriptor that becomes readable when the run must end."""
    slot: Slot
    backend: str
    limits_kind: str
    abi: int
    seccomp: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Launcher:
    pid: int
    pidfd: int
    output: int
    status: int
    control: int


def run(plan: Plan) -> RunResult:
    """What came of the run. Raises SandboxError when a path that it needs cannot be granted."""
    request = plan.request
    ring = OutputRing(request.limits.log_kb * 1024)
    watchdog = Watchdog(request.limits, [request.out, plan.scratch], uid=plan.slot.uid)
    with ExitStack() as stack:
        launcher = _start(plan, stack)
        stop: Stop | None = None
        facts: dict[str, object] = {}
        try:
            supervisor = Supervisor(
                launcher.output, ring, watchdog, deadline=plan.started + request.limits.wall_seconds, cancel=plan.cancel
            )
            text = _first_line(launcher.status)
            facts = _facts(text)
            if isinstance(pid := facts.get("pid"), int):
                plan.slot.admit(pid)
                with suppress(BrokenPipeError):
                    os.write(launcher.control, GO)
                stop = supervisor.follow(launcher.pidfd, lambda: plan.slot.check(watchdog, launcher.pid))
        finally:
            plan.slot.end()
            gone = _end(launcher)
        supervisor.drain()
        facts = _facts(text + _rest(launcher.status))
    code = os.waitstatus_to_exitcode(ended) if isinstance(ended := facts.get("ended"), int) else None
    if not gone:
        stop = Stop("sandbox_failed", "the run's processes could not be killed", "sandbox")
    elif "fault" in facts:
        stop = Stop("sandbox_failed", f"the launcher failed: {facts['fault']}", "sandbox")
    elif stop is None and code is None:
        stop = Stop("sandbox_failed", "the launcher was ended from outside", "sandbox")
    elif stop is None:
        stop = plan.slot.final_check(watchdog)
    ending = results.Ending(
        stop,
        code,
        time.monotonic() - plan.started,
        _number(facts, "cpu") or watchdog.cpu_seconds,
        max(_number(facts, "peak"), watchdog.peak_memory_mb),
    )
    return results.result(ending, ring, request.out, backend=plan.backend, limits_kind=plan.limits_kind)


def _start(plan: Plan, stack: ExitStack) -> _Launcher:
    """Starts the launcher; the command waits until it may go."""
    output, status, control = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
    for descriptor in (output[0], status[0]):
        stack.callback(os.close, descriptor)
    with ExitStack() as theirs:
        for descriptor in (output[1], status[1], control[0]):
            theirs.callback(os.close, descriptor)
        try:
            plan_file = os.memfd_create("branchlab", os.MFD_CLOEXEC)
            theirs.callback(os.close, plan_file)
            with open(plan_file, "wb", closefd=False) as file:
                file.write(json.dumps(_description(plan)).encode())
            os.lseek(plan_file, 0, os.SEEK_SET)
            passed = (plan_file, status[1], control[0])
            code = LAUNCH.format(package=__name__.rpartition(".")[0])
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", code, str(Path(__file__).parents[2]), *map(str, passed)],
                env={},
                stdin=subprocess.DEVNULL,
                stdout=output[1],
                stderr=subprocess.STDOUT,
                cwd="/",
                pass_fds=passed,
                start_new_session=True,
            )
        except BaseException:
            os.close(control[1])
            raise
    process.returncode = 0  # reaped by `_end`, and not by Popen
    pidfd = os.pidfd_open(process.pid)
    stack.callback(os.close, pidfd)
    return _Launcher(process.pid, pidfd, output[0], status[0], control[1])


def _description(plan: Plan) -> Mapping[str, object]:
    """What the launcher reads."""
    request, own_user = plan.request, plan.slot.uid is not None
    for name in ("home", "tmp"):
        folder = plan.scratch / name
        folder.mkdir()
        if plan.slot.uid is not None:
            os.chown(folder, plan.slot.uid, plan.slot.uid)
    inside = {"work": request.work, "out": request.out, **request.mounts}
    places = {name: str(path.absolute()) for name, path in inside.items()}
    environment = gpu.environment(None) | command.environment(
        request, places, home=str(plan.scratch / "home"), tmp=str(plan.scratch / "tmp")
    )
    # There is no account of that number to ask the name of.
    environment = {"USER": "sandbox", "LOGNAME": "sandbox"} | environment
    limits = rlimits(request.limits)
    if not own_user:
        del limits["nproc"]  # it would count the whole account, not the run: the watchdog counts instead
    return {
        "driver": os.getpid(),
        "abi": plan.abi,
        "uid": plan.slot.uid,
        "argv": command.argv(request, places),
        "env": environment,
        "work": places["work"],
        "scratch": str(plan.scratch),
        "grants": restricted_view.grants(request, plan.scratch, own_user=own_user),
        "rlimits": limits,
        "seccomp": [code.hex() for code in plan.seccomp],
        "network": False,
        "shared_memory": SHARED_MEMORY,
    }


def _first_line(status: int) -> bytes:
    """Up to the line that names the command's process, or says why there is none."""
    data = b""
    poller = select.poll()
    poller.register(status, select.POLLIN)
    deadline = time.monotonic() + START_SECONDS
    while b"\n" not in data:
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            break
        if not (chunk := os.read(status, 4096)):
            break
        data += chunk
    return data


def _end(launcher: _Launcher) -> bool:
    """Has the launcher end everything, and waits for it; whether all is gone."""
    os.close(launcher.control)
    gone = wait_gone(launcher.pidfd)
    if not gone:
        kill(launcher.pidfd)
        wait_gone(launcher.pidfd)
    reap(launcher.pid)
    return gone


def _rest(status: int) -> bytes:
    os.set_blocking(status, False)
    data = b""
    with suppress(BlockingIOError):
        while chunk := os.read(status, 4096):
            data += chunk
    return data


def _facts(text: bytes) -> dict[str, object]:
    """Everything the launcher reported so far. Only it and the command before it begins hold the other end."""
    facts: dict[str, object] = {}
    for line in text.splitlines():
        with suppress(json.JSONDecodeError):
            facts |= json.loads(line)
    return facts


def _number(facts: Mapping[str, object], name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else 0.0

"""Chooses how to run, and says what works on this host. Never falls back to something weaker unasked."""

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..targets.errors import BranchlabError, SandboxError, UsageError
from . import engine, environments
from .bubblewrap import Bubblewrap
from .docker import ContainerRunner
from .restricted import Restricted
from .runner import Limits, Runner, RunRequest
from .unconfined import Unconfined

NAMES = ("auto", "bubblewrap", "docker", "podman", "restricted", "unconfined")

CONTAINER_HINT = f"use a container: with docker or podman installed, {engine.SET_IMAGE}"

# One process, four questions; each answer is what must hold inside a sandbox.
QUESTIONS = """
import json, os, socket, sys
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
def connect():
    socket.create_connection(("192.0.2.1", 9), timeout=2).close()
def write():
    open("/usr/branchlab-probe", "x").close()
    os.unlink("/usr/branchlab-probe")
child = os.fork()
if child == 0:
    os._exit(7)
print(json.dumps({
    "a write outside the output folder is refused": refused(write),
    "a connection to the network is refused": refused(connect),
    "a process can be started": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7,
    "the output folder can be written": not refused(lambda: open(sys.argv[1] + "/probe", "w").close()),
}))
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a backend works on this host."""

    name: str
    available: bool
    reason: str
    """How it runs when available, else why not."""
    fix: str = ""


def choose(name: str = "auto") -> Runner:
    """The backend of that name; `auto` is bubblewrap, else the container engine that is configured.

    Raises SandboxError with the reason and the fix when it does not work here, UsageError for another name.
    `restricted` and `unconfined` are only ever returned to who asks for them.
    """
    if name == "unconfined":
        return Unconfined()
    if name == "auto":
        return _strongest()
    if name == "restricted":
        return Restricted()
    if name == "bubblewrap":
        return Bubblewrap()
    for kind in engine.KINDS:
        if name == kind:
            return ContainerRunner(kind)
    raise UsageError("no such sandbox", wanted=", ".join(NAMES), found=repr(name), where="--sandbox")


def _strongest() -> Runner:
    try:
        return Bubblewrap()
    except SandboxError as error:
        if not engine.configured():
            raise SandboxError(f"{error}; or {CONTAINER_HINT}") from None
        try:
            return ContainerRunner()
        except SandboxError as second:
            raise SandboxError(f"{error}; nor is the configured container of use: {second}") from None


@cache
def probe() -> tuple[Probe, ...]:
    """What works here, found by running it; asked once per process."""
    return (
        _probe_bubblewrap(),
        *map(_probe_container, engine.KINDS),
        _probe_restricted(),
        Probe("unconfined", True, "no isolation at all; only when asked for by name"),
    )


def _probe_bubblewrap() -> Probe:
    try:
        runner = Bubblewrap()
        faults = _wrong_answers(runner)
    except BranchlabError as error:
        message, _, fix = str(error).partition("; fix: ")
        return Probe("bubblewrap", False, message, fix)
    if faults:
        return Probe("bubblewrap", False, f"it runs, but does not hold: {'; '.join(faults)}", "see docs/sandbox.md")
    how = "gives up root first" if runner.mode.drop else "as this user"
    how += ", warm starts" if runner.starts_warm else ", no warm starts"
    return Probe("bubblewrap", True, f"{runner.program.path} {runner.program.version}, {how}, {runner.limits_kind}")


def _probe_container(kind: engine.Kind) -> Probe:
    try:
        runner = ContainerRunner(kind)
        faults = _wrong_answers(runner)
    except BranchlabError as error:
        message, _, fix = str(error).partition("; fix: ")
        return Probe(kind, False, message if engine.configured() else f"not configured: {message}", fix)
    return _judged(kind, faults, f"{runner.version}, {runner.limits_kind}")


def _probe_restricted() -> Probe:
    try:
        runner = Restricted()
        faults = _wrong_answers(runner)
    except BranchlabError as error:
        message, _, fix = str(error).partition("; fix: ")
        return Probe("restricted", False, message, fix)
    return _judged("restricted", faults, f"only when asked for by name; {runner.summary}")


def _judged(name: str, faults: list[str], how: str) -> Probe:
    if faults:
        return Probe(name, False, f"it runs, but does not hold: {'; '.join(faults)}", "see docs/sandbox.md")
    return Probe(name, True, how)


def _wrong_answers(runner: Runner) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        work, out = Path(folder, "work"), Path(folder, "out")
        work.mkdir()
        out.mkdir()
        argv = ("python", "-I", "-S", "-c", QUESTIONS, "{out}")
        limits = Limits(wall_seconds=30, memory_mb=512, disk_mb=64)
        result = runner.run(RunRequest(argv, environments.find(), work, out, limits))
    if result.status != "ok":
        raise SandboxError("the probe failed inside the sandbox", found=result.reason or result.log_head)
    answers = json.loads(result.log_head.splitlines()[-1])
    return [question for question, held in answers.items() if held is not True]

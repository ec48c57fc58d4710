"""Turns how a run ended into its RunResult; the same words for every backend."""

import signal
from dataclasses import dataclass
from pathlib import Path

from .files import list_artifacts
from .limits import Stop
from .output import OutputRing, printable
from .runner import RunResult


@dataclass(frozen=True, slots=True)
class Ending:
    """What a backend knows when a run is over."""

    stop: Stop | None
    """Why the run was ended from outside, or that the sandbox failed."""
    return_code: int | None
    device_seconds: float
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0


def result(ending: Ending, ring: OutputRing, out: Path, *, backend: str, limits_kind: str) -> RunResult:
    """The result; artifacts are listed only of a run that ended by itself."""
    stop = ending.stop or _own_end(ending.return_code)
    head, tail = ring.texts()
    return RunResult(
        status=stop.status,
        reason=printable(stop.reason).replace("\n", " ")[:500],
        return_code=None if stop.status == "sandbox_failed" else ending.return_code,
        device_seconds=ending.device_seconds,
        cpu_seconds=ending.cpu_seconds,
        peak_memory_mb=ending.peak_memory_mb,
        log_head=head,
        log_tail=tail,
        truncated=ring.truncated,
        artifacts=list_artifacts(out) if stop.status in ("ok", "failed") else (),
        backend=backend,
        limits_kind=limits_kind,
        kill_reason=stop.kind,
    )


def refused(stop: Stop, device_seconds: float, *, backend: str, limits_kind: str) -> RunResult:
    """The result of a run that was not started."""
    ending = Ending(stop, None, device_seconds)
    return result(ending, OutputRing(1), Path(), backend=backend, limits_kind=limits_kind)


def _own_end(code: int | None) -> Stop:
    if code is None:
        return Stop("sandbox_failed", "the sandbox ended without saying how the program did", "sandbox")
    if code == 0:
        return Stop("ok", "", None)
    # 128 + N is how a shell and bubblewrap report a signal; Popen reports -N.
    number = -code if code < 0 else code - 128
    if number in {member.value for member in signal.Signals}:
        name = signal.Signals(number).name
        if name == "SIGXFSZ":
            return Stop("killed", "wrote a file larger than the disk limit", "disk")
        return Stop("failed", f"ended by {name}", None)
    return Stop("failed", f"exited with status {code}", None)

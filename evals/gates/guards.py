"""What must not get worse: the `[[guards]]` of target.toml, held against the untouched code on the runs that were judged.

The untouched code and not the parent, so that a chain of kept edits cannot lose a little of it at each link.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Protocol

from ...sandbox.runner import RunResult
from ..trial import Run, Verdict

PREFIX = "guard: "
LEVEL = 0.95
"""Of the one-sided bound that says whether a mean within the tolerance could still be luck."""
UNITS = {"latency": " s", "train_seconds": " s", "memory": " MB", "model_bytes": " bytes"}


class Spec(Protocol):
    """A `targets.target.Guard`, or what the ledger kept of one."""

    @property
    def name(self) -> str: ...
    @property
    def metric(self) -> str | None: ...
    @property
    def slice(self) -> str | None: ...
    @property
    def measure(self) -> str | None: ...
    @property
    def command(self) -> tuple[str, ...] | None: ...
    @property
    def direction(self) -> str | None: ...
    @property
    def tolerance(self) -> float | None: ...
    @property
    def relative(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """A guard as the ledger keeps it."""

    name: str
    metric: str | None = None
    slice: str | None = None
    measure: str | None = None
    command: tuple[str, ...] | None = None
    direction: str | None = None
    tolerance: float | None = None
    relative: float | None = None


def recorded(settings: Mapping[str, Any]) -> tuple[Recorded, ...]:
    """The guards a run was begun with."""
    rows = settings.get("guards", ())
    return tuple(Recorded(**{**row, "command": tuple(row["command"]) if row.get("command") else None}) for row in rows)


def measured(guards: Iterable[Spec], runs: Sequence[Run], base: Sequence[Run], direction: str) -> tuple[Verdict, ...]:
    """A verdict for every guard that is no command.

    Args:
        base: runs of the untouched code; only seeds that both sides ran are compared.
        direction: the metric's own, which is that of its slices too.
    """
    return tuple(_judge(guard, runs, base, direction) for guard in guards if guard.command is None)


def of_command(name: str, result: RunResult) -> Verdict:
    """Whether a command passed: exit code 0, and nothing else."""
    lines = [line for line in (result.log_tail or result.log_head).splitlines() if line.strip()]
    said = f": {lines[-1].strip()[:200]}" if lines else ""
    passed = result.status == "ok" and result.return_code == 0
    how = f"exit code 0 after {result.device_seconds:.1f} s" if passed else result.reason or f"status {result.status}"
    return Verdict(PREFIX + name, passed, how if passed else f"{how}{said}")


def confirmed(
    guards: Sequence[Spec], runs: Sequence[Run], base: Sequence[Run], commands: Iterable[Verdict], direction: str
) -> tuple[Verdict, ...]:
    """The verdicts on a winner: measured on its confirmation, and those its commands had before it was kept.

    Args:
        commands: every verdict there is on this commit. A command that never ran on it breaks its guard.
    """
    found = {verdict.gate: verdict for verdict in commands}
    verdicts = {verdict.gate: verdict for verdict in measured(guards, runs, base, direction)}
    for guard in guards:
        if guard.command is not None:
            gate = PREFIX + guard.name
            verdicts[gate] = found.get(gate, Verdict(gate, False, "the command was never run on this commit"))
    return tuple(verdicts[PREFIX + guard.name] for guard in guards)


def value_of(guard: Spec, run: Run) -> float | None:
    """What the guard looks at in one run; None when it is not there."""
    if run.score is None:
        return None
    if guard.metric is not None:
        return run.score.extras.get(guard.metric)
    if guard.slice is not None:
        return run.score.slices.get(guard.slice)
    measures: dict[str, float | None] = {
        "latency": run.predict_seconds,
        "train_seconds": run.train_seconds,
        "memory": run.peak_memory_mb,
        "model_bytes": run.model_bytes,
    }
    return measures.get(guard.measure or "")


def _judge(guard: Spec, runs: Sequence[Run], base: Sequence[Run], direction: str) -> Verdict:
    gate = PREFIX + guard.name
    mine, theirs = ({(run.split, run.seed): value_of(guard, run) for run in side} for side in (runs, base))
    # A candidate may not choose, by leaving a value out, on which seeds it is compared.
    missing = sorted(seed for (_, seed), value in mine.items() if value is None)
    common = sorted(mine.keys() & theirs.keys())
    if missing or not common:
        what = guard.metric or guard.slice or guard.measure
        why = f"no value of {what} on seed {missing[0]}" if missing else "no seed was run on both sides"
        return Verdict(gate, False, why)
    pairs = [(a, b) for key in common if (a := mine[key]) is not None and (b := theirs[key]) is not None]
    if len(pairs) < len(common):
        return Verdict(gate, False, "the untouched code has no value on a seed that the candidate ran")
    sign = {"maximize": 1.0, "minimize": -1.0}[
        "minimize" if guard.measure else direction if guard.slice else guard.direction or direction
    ]
    losses = [sign * (b - a) for a, b in pairs]
    before, after = fmean(b for _, b in pairs), fmean(a for a, _ in pairs)
    allowed = guard.tolerance if guard.tolerance is not None else (guard.relative or 0.0) * abs(before)
    return _verdict(gate, guard, losses, (before, after, allowed))


def _verdict(gate: str, guard: Spec, losses: Sequence[float], told: tuple[float, float, float]) -> Verdict:
    before, after, allowed = told
    loss = math.fsum(losses) / len(losses)
    # Rounding must not break a guard whose tolerance is the loss itself.
    passed = loss <= allowed + 1e-12 * max(1.0, abs(before), abs(after))
    unit = UNITS.get(guard.measure or "", "")
    worse = f"worse by {loss:.4g}" if loss > 0 else f"better by {-loss:.4g}" if loss < 0 else "the same"
    words = f"{before:.5g} → {after:.5g}{unit}: {worse}, where {allowed:.4g} is allowed ({_seeds(len(losses))})"
    half = _half_width(losses)
    if half is None:
        return Verdict(gate, passed, f"{words}; one seed cannot tell it from luck")
    if passed and loss + half > allowed:
        return Verdict(gate, True, f"{words}; cannot be told: it could be worse by {loss + half:.4g}")
    if not passed and loss - half <= allowed:
        return Verdict(gate, False, f"{words}; cannot be told: it could be worse by {max(loss - half, 0.0):.4g} only")
    return Verdict(gate, passed, words)


def _half_width(losses: Sequence[float]) -> float | None:
    """From the mean to the one-sided 95 % bound, Student's t over the paired seeds; None below two of them."""
    n = len(losses)
    if n < 2:
        return None
    from scipy.special import stdtrit

    mean = math.fsum(losses) / n
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in losses) / (n - 1))
    return float(stdtrit(n - 1, LEVEL)) * deviation / math.sqrt(n)


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"

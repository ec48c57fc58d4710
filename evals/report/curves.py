"""How the best score of each arm grew with what it was charged: trials, device seconds or dollars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..trial import Arm, Trial

Axis = Literal["trials", "seconds", "dollars"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Steps, never lines between: the best score was what it was until the next trial ended."""

    arm: Arm
    steps: tuple[tuple[float, float], ...]
    """(what was charged when it was reached, best score so far), from the first trial that had a score."""
    failures: tuple[float, ...]
    """What was charged when a trial ended without a score."""
    spent: float
    """Charged to the arm's search in all."""

    def best_at(self, charged: float) -> float | None:
        """The best score that had been reached by then; None before the first."""
        reached = [best for at, best in self.steps if at <= charged]
        return reached[-1] if reached else None

    def area(self, end: float, top: float) -> float | None:
        """Normalised area under the curve, from 0 to `end` of its axis: 0 where it never left its first step, 1 where it
        had the score `top` from the beginning. An arm that stopped early keeps what it had. None when the first step is
        not at 0, or is as good as `top`: then there was nothing to gain."""
        if not self.steps or self.steps[0][0] > 0 or end <= 0 or top == self.steps[0][1]:
            return None
        start = self.steps[0][1]
        ends = [*(at for at, _ in self.steps[1:]), end]
        held = zip(self.steps, ends, strict=True)
        return sum(max(0.0, min(b, end) - a) * (best - start) for (a, best), b in held) / end / (top - start)


def anytime(
    trials: Sequence[Trial],
    arm: Arm,
    direction: str,
    start: float | None = None,
    *,
    axis: Axis = "seconds",
    hourly: float | None = None,
) -> Curve:
    """The curve of one arm over its search trials, in the order they were charged.

    Args:
        start: score of the untouched code, which is where every search begins.
        hourly: dollars an hour of a device slot costs; None counts language models alone.

    A trial that was not kept (a gate refused it, or it was not better) is charged and never counts as best.
    """
    steps: list[tuple[float, float]] = [] if start is None else [(0.0, start)]
    failures: list[float] = []
    seconds = models = spent = 0.0
    searched = [t for t in trials if t.arm == arm and t.phase == "search"]
    for number, trial in enumerate(searched, start=1):
        seconds += trial.device_seconds
        models = max(models, trial.model_dollars)
        spent = {"trials": float(number), "seconds": seconds, "dollars": seconds / 3600 * (hourly or 0.0) + models}[
            axis
        ]
        score = mean_score(trial)
        if trial.decision == "crash":
            failures.append(spent)
        elif score is not None and trial.decision == "keep" and (not steps or _better(score, steps[-1][1], direction)):
            steps.append((spent, score))
    return Curve(arm, tuple(steps), tuple(failures), spent)


def top_of(curves: Sequence[Curve], direction: str) -> float | None:
    """The best score any of them reached."""
    reached = [best for curve in curves for _, best in curve.steps]
    return (max if direction == "maximize" else min)(reached) if reached else None


def _better(score: float, than: float, direction: str) -> bool:
    return score > than if direction == "maximize" else score < than


def mean_score(trial: Trial) -> float | None:
    """The mean over the trial's seeds; None when any of them has no score."""
    values = [run.score.value for run in trial.runs if run.score is not None]
    return sum(values) / len(values) if values and len(values) == len(trial.runs) else None

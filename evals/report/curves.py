"""How the best score of each arm grew with the device time it was charged."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..trial import Arm, Trial


@dataclass(frozen=True, slots=True)
class Curve:
    """Steps, never lines between: the best score was what it was until the next trial ended."""

    arm: Arm
    steps: tuple[tuple[float, float], ...]
    """(device seconds charged when it was reached, best score so far), from the first trial that had a score."""
    failures: tuple[float, ...]
    """Device seconds charged when a trial ended without a score."""
    spent: float
    """Device seconds charged to the arm's search in all."""

    def best_at(self, seconds: float) -> float | None:
        """The best score that had been reached by then; None before the first."""
        reached = [best for at, best in self.steps if at <= seconds]
        return reached[-1] if reached else None


def anytime(trials: Sequence[Trial], arm: Arm, direction: str, start: float | None = None) -> Curve:
    """The curve of one arm over its search trials, in the order they were charged.

    Args:
        start: score of the untouched code, which is where every search begins.

    A trial that was not kept (a gate refused it, or it was not better) is charged and never counts as best.
    """
    steps: list[tuple[float, float]] = [] if start is None else [(0.0, start)]
    failures: list[float] = []
    spent = 0.0
    for trial in trials:
        if trial.arm != arm or trial.phase != "search":
            continue
        spent += trial.device_seconds
        score = mean_score(trial)
        if trial.decision == "crash":
            failures.append(spent)
        elif score is not None and trial.decision == "keep" and (not steps or _better(score, steps[-1][1], direction)):
            steps.append((spent, score))
    return Curve(arm, tuple(steps), tuple(failures), spent)


def _better(score: float, than: float, direction: str) -> bool:
    return score > than if direction == "maximize" else score < than


def mean_score(trial: Trial) -> float | None:
    """The mean over the trial's seeds; None when any of them has no score."""
    values = [run.score.value for run in trial.runs if run.score is not None]
    return sum(values) / len(values) if values and len(values) == len(trial.runs) else None

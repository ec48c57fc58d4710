"""Whether the search arms were really charged the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .trial import Arm, Trial

SEARCH_ARMS: tuple[Arm, ...] = ("random", "tuner", "edits", "edits+tuner")
TOLERANCE = 0.10


@dataclass(frozen=True, slots=True)
class EqualCompute:
    seconds: Mapping[Arm, float]
    """Device seconds charged to each arm's search."""
    spread: float
    """(most - least) / most; 0 when there are fewer than two arms."""
    tolerance: float

    @property
    def equal(self) -> bool:
        return self.spread <= self.tolerance


def check_equal_compute(trials: Sequence[Trial]) -> EqualCompute:
    """The spread of device seconds over the search arms, against a tenth of them, or two trials where these are longer:
    an arm stops between trials, never inside one."""
    searched = [t for t in trials if t.phase == "search" and t.arm in SEARCH_ARMS]
    seconds: dict[Arm, float] = {}
    for trial in searched:
        seconds[trial.arm] = seconds.get(trial.arm, 0.0) + trial.device_seconds
    most = max(seconds.values(), default=0.0)
    if len(seconds) < 2 or most <= 0.0:
        return EqualCompute(seconds, 0.0, TOLERANCE)
    granularity = 2 * median(t.device_seconds for t in searched) / most
    return EqualCompute(seconds, (most - min(seconds.values())) / most, max(TOLERANCE, granularity))

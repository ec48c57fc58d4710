"""Whether the search arms were really charged the same."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .trial import Arm, Trial

SEARCH_ARMS: tuple[Arm, ...] = ("random", "tuner", "edits", "edits+tuner", "rerun")
TOLERANCE = 0.10
WIDEST = 0.25
"""However long a trial is: arms further apart than this did not have the same compute."""


@dataclass(frozen=True, slots=True)
class EqualCompute:
    seconds: Mapping[Arm, float]
    """Device seconds charged to each arm's search."""
    spread: float
    """(most - least) / most; 0 when there are fewer than two arms."""
    tolerance: float
    allowed: float | None = None
    """What each arm was allowed to charge; None when the run made no plan."""

    @property
    def equal(self) -> bool:
        return self.spread <= self.tolerance

    @property
    def within(self) -> bool:
        """Whether every arm kept to one allowance, even if some had nothing left to try and used less."""
        return self.allowed is not None and all(s <= self.allowed * (1 + self.tolerance) for s in self.seconds.values())


def check_equal_compute(
    trials: Sequence[Trial], allowed: float | None = None, arms: Collection[str] = (), probes: float = 0.0
) -> EqualCompute:
    """The spread of device seconds over the search arms, against a tenth of them, or two trials where these are longer:
    an arm stops between trials, never inside one. One of `arms` that tried nothing has used nothing. `probes`: device
    seconds of the probes, which the edits arm pays for."""
    searched = [t for t in trials if t.phase == "search" and t.arm in SEARCH_ARMS]
    seconds: dict[Arm, float] = {arm: 0.0 for arm in SEARCH_ARMS if searched and arm in arms}
    for trial in searched:
        seconds[trial.arm] = seconds.get(trial.arm, 0.0) + trial.device_seconds
    if "edits" in seconds:
        seconds["edits"] += probes
    most = max(seconds.values(), default=0.0)
    if len(seconds) < 2 or most <= 0.0:
        return EqualCompute(seconds, 0.0, TOLERANCE, allowed)
    granularity = 2 * median(t.device_seconds for t in searched) / most
    spread = (most - min(seconds.values())) / most
    return EqualCompute(seconds, spread, max(TOLERANCE, min(granularity, WIDEST)), allowed)

"""Whether what was gained at full length is still gained at a multiple of it: short trainings can favour the wrong code."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from .difference import Difference, difference
from .trial import Arm, Phase, Run, Trial

SCALED_ARMS: tuple[Arm, ...] = ("tuner", "edits", "edits+tuner")
Holds = Literal["the gain holds", "the gain shrinks", "the gain is gone", "cannot be told", "there was no gain to hold"]


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """One arm's winner against the untouched code, both on the confirm split and paired by seed."""

    arm: Arm
    full: Difference
    """At full length, over all confirm seeds."""
    scaled: Difference
    """At the scale-up's length, over its seeds, both sides trained that long."""
    accepted: bool
    """Whether there is a gain at full length that may be claimed."""

    @property
    def holds(self) -> Holds:
        """In words, by the two intervals; without an interval nothing is said."""
        full, scaled = self.full, self.scaled
        if not self.accepted or full.mean is None:
            return "there was no gain to hold"
        if scaled.low is None or scaled.high is None:
            return "cannot be told"
        smaller = scaled.high < full.mean
        if scaled.low > 0:
            return "the gain shrinks" if smaller else "the gain holds"
        return "the gain is gone" if smaller else "cannot be told"


def scale_ups(trials: Sequence[Trial], direction: str, accepted: Collection[Arm]) -> tuple[ScaleUp, ...]:
    """One entry for each arm whose winner ran at the scale-up's length; an arm that found nothing has none."""
    found = []
    base = _runs(trials, "baseline", "scale_up")
    for arm in SCALED_ARMS:
        scaled = _runs(trials, arm, "scale_up")
        if not scaled or not base:
            continue
        full = difference(_runs(trials, arm, "confirm"), _runs(trials, "baseline", "confirm"), direction)
        found.append(ScaleUp(arm, full, difference(scaled, base, direction), arm in accepted))
    return tuple(found)


def _runs(trials: Sequence[Trial], arm: Arm, phase: Phase) -> list[Run]:
    return [run for t in trials if t.arm == arm and t.phase == phase for run in t.runs]

"""Whether a gain is accepted: an exact group-sequential test of each finalist, and one error budget for a whole campaign.

**One finalist.** The null hypothesis is that a fresh seed is as likely to favour the reference as the candidate, by as much: a
candidate that changes nothing can be exchanged with the reference, whatever the distribution, and its paired differences are
symmetric about zero. (Not covered: one that is better on most seeds and collapses on rare ones, which no few seeds show.)
Then every pattern of signs is as likely as every other: Fisher (1935); Hemerik & Goeman (2018) for a random part
of the patterns. The test looks after every seed and spends its level by a power family (Kim & DeMets 1987, after Lan &
DeMets 1983): level * (n / N)^3 has been spent after n of N planned seeds, so that looking costs little and a clear case ends
early. Neither normality nor equal variances are assumed.

**All of them.** Holm (1979), who hands on the level of what was accepted; for sequential tests Maurer & Bretz (2013). The
chance that a campaign accepts anything that is no better is at most ALPHA however its candidates were found and chosen,
because seeds and split are fresh and the family is fixed before the first of them is used.

Besides, the interval of the gain at that level must lie above zero: where the judge gives per-example values it covers the luck
of the examples, about which seeds say nothing.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .difference import LEVEL, Difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.025
"""Chance that a campaign of candidates that are no better accepts any of them. One-sided: what a two-sided test at 5 % allows,
and the 95 % intervals shown beside it."""
SPENDING_POWER = 3
MOST_ENUMERATED = 12
"""Planned seeds up to which all 2^N patterns of signs are looked at; beyond, 2^MOST_ENUMERATED drawn once, the observed one
among them."""

State = Literal["better", "not better", "undecided"]


@dataclass(frozen=True, slots=True)
class Finalist:
    """One member of the family, as far as it has run."""

    gains: Sequence[float]
    """Paired differences in the order of the planned seeds; positive is better. Empty when it has not run yet."""
    interval: Callable[[float], Difference]
    """Its difference with an interval at this two-sided level."""
    fault: str = ""
    """Why it cannot be accepted whatever its gains: a seed without a score, a guard that it breaks."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a finalist stands. `undecided`: the planned seeds that are left could still make it `better`."""

    state: State
    seeds: int
    planned: int
    level: float
    """One-sided, that it was held to last."""
    reason: str

    @property
    def better(self) -> bool:
        return self.state == "better"


def judge(family: Mapping[str, Finalist], planned: int, alpha: float = ALPHA) -> dict[str, Standing]:
    """Where each finalist stands. `family`: all that were to be tested from the start, those that have not run yet too."""
    accepted: dict[str, float] = {}
    while len(accepted) < len(family):
        level = alpha / (len(family) - len(accepted))
        new = [name for name, one in family.items() if name not in accepted and _passes(one, planned, level)]
        if not new:
            break
        accepted |= dict.fromkeys(new, level)
    rest = alpha / max(1, len(family) - len(accepted))
    return {
        name: _accepted(one, planned, accepted[name]) if name in accepted else _not_accepted(one, planned, rest)
        for name, one in family.items()
    }


def fewest_seeds(level: float) -> int:
    """The fewest seeds that can pass at this one-sided level: with every difference positive p is 2^-n."""
    n = 1
    while 0.5**n > level:
        n += 1
    return n


def passed_at(gains: Sequence[float], planned: int, level: float) -> int | None:
    """The look (number of seeds) at which the sign-flip test at this one-sided level accepted; None when it has not."""
    import numpy as np

    found = np.asarray(gains, dtype=np.float64)[:planned]
    if not found.size:
        return None
    sums = np.cumsum(_signs(planned)[:, : found.size] * found, axis=1)
    ties = 1e-12 * float(np.abs(found).sum())
    alive = np.ones(len(sums), dtype=bool)
    for look in range(1, found.size + 1):
        budget = int(level * (look / planned) ** SPENDING_POWER * len(sums) + 1e-9)
        allowed = budget - int(len(sums) - alive.sum())
        if allowed <= 0:
            continue
        now = sums[:, look - 1]
        cut = np.partition(now[alive], -allowed - 1)[-allowed - 1]
        beyond = alive & (now > cut + ties)
        if beyond[0]:
            return look
        alive &= ~beyond
    return None


def can_still_pass(gains: Sequence[float], planned: int, level: float) -> bool:
    """Whether any values of the seeds that are left could make it pass: positive ones that dwarf all so far do most."""
    dwarfing = 1e3 * (sum(map(abs, gains)) or 1.0)
    return passed_at([*gains, *[dwarfing] * (planned - len(gains))], planned, level) is not None


@functools.lru_cache(maxsize=64)
def _signs(planned: int) -> "NDArray[np.float64]":
    """Patterns x planned seeds; the first is all +1, which is what was observed."""
    import numpy as np

    if planned <= MOST_ENUMERATED:
        bits = np.arange(2**planned)[:, None] >> np.arange(planned)[None, :] & 1
        return np.where(bits == 1, -1.0, 1.0)
    drawn = np.random.default_rng(planned).integers(0, 2, size=(2**MOST_ENUMERATED, planned))
    drawn[0] = 0
    return np.where(drawn == 1, -1.0, 1.0)


def _passes(one: Finalist, planned: int, level: float) -> bool:
    return not one.fault and passed_at(one.gains, planned, level) is not None and _above_zero(one, level)


def _above_zero(one: Finalist, level: float) -> bool:
    """At the finalist's own level, and at the one that is shown to the reader."""
    return one.interval(max(LEVEL, 1 - 2 * level)).better


def _accepted(one: Finalist, planned: int, level: float) -> Standing:
    look = passed_at(one.gains, planned, level)
    reason = f"sign-flip test passed at seed {look} of {planned} at level {level:.3g}"
    return Standing("better", len(one.gains), planned, level, reason)


def _not_accepted(one: Finalist, planned: int, level: float) -> Standing:
    seeds = len(one.gains)

    def standing(state: State, reason: str) -> Standing:
        return Standing(state, seeds, planned, level, reason)

    if one.fault:
        return standing("not better", one.fault)
    if seeds < planned and can_still_pass(one.gains, planned, level):
        return standing("undecided", f"{seeds} of {planned} planned seeds have run")
    if passed_at(one.gains, planned, level) is not None:
        return standing("not better", "the seeds agree, but the interval of the gain reaches zero")
    if planned < fewest_seeds(level):
        return standing(
            "not better", f"{planned} seeds cannot show a gain at level {level:.3g}: {fewest_seeds(level)} can"
        )
    return standing("not better", f"sign-flip test over {seeds} seeds not passed at level {level:.3g}")

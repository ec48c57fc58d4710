"""Several searches that differ in their seeds alone: how sure the curves are, and how often one arm beats another."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, stdev

from .compare import UNTOUCHED, Comparison, compare
from .ledger import RESUMABLE, Ledger, RunRecord
from .report.curves import Axis, Curve, anytime, top_of
from .trial import Arm

AXES: tuple[Axis, ...] = ("trials", "seconds", "dollars")
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over whole searches, with Student's t interval at 95 %; no interval below two searches."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Superiority:
    """P(first beats second) + P(tie) / 2 over whole searches, every search of one against every search of the other."""

    first: Arm
    second: Arm
    probability: float
    low: float | None
    high: float | None
    n: int
    """Searches of the arm that has fewer."""

    @property
    def too_few(self) -> bool:
        """Whether even a clean sweep of so many searches could not be told from a coin's."""
        bounds = superiority_interval(1.0, self.n, self.n)
        return bounds is None or bounds[0] <= 0.5


@dataclass(frozen=True, slots=True)
class Repeats:
    """The ended searches of one family. Score curves are of the search split, gains of the confirm split."""

    runs: tuple[str, ...]
    unfinished: int
    curves: dict[Axis, dict[Arm, tuple[Curve, ...]]]
    gains: dict[Arm, tuple[float, ...]]
    """On the confirm split, one a search that has one; positive is better."""
    areas: dict[Arm, tuple[float, ...]]
    """Normalised area under the curve over device seconds."""
    superiority: tuple[Superiority, ...]

    def end(self, axis: Axis) -> float:
        """The largest charge of any search."""
        return max((c.spent for curves in self.curves[axis].values() for c in curves), default=0.0)

    def best_at(self, axis: Axis, arm: Arm, charged: float) -> Estimate | None:
        """Mean best score so far at a charge; None until every search has one, for what failed is not filled in."""
        found = [curve.best_at(charged) for curve in self.curves[axis][arm]]
        known = [value for value in found if value is not None]
        return estimate(known) if known and len(known) == len(found) else None


def family(ledger: Ledger, run_id: str) -> list[RunRecord]:
    """Every run of the family of this one, the first search before its repeats. Raises: LedgerError without such a run."""
    record = ledger.run(run_id)
    root = record.settings.get("repeat_of") or record.id
    members = [r for r in ledger.runs() if r.id == root or r.settings.get("repeat_of") == root]
    return sorted(members, key=lambda r: int(r.settings.get("repeat") or 0))


def repeats(ledger: Ledger, run_id: str) -> Repeats | None:
    """What the searches of a family say together; None when it is the only one of its kind."""
    members = family(ledger, run_id)
    if len(members) < 2:
        return None
    ended = [member for member in members if member.status in ("done", "no_signal", "budget_exhausted")]
    compared = [compare(ledger, member.id) for member in ended]
    arms = [a for a in dict.fromkeys(arm.arm for c in compared for arm in c.arms) if a != "baseline"]
    curves: dict[Axis, dict[Arm, tuple[Curve, ...]]] = {axis: dict.fromkeys(arms, ()) for axis in AXES}
    for comparison in compared:
        for arm, axis, curve in _curves(ledger, comparison, arms):
            curves[axis][arm] += (curve,)
    gains: dict[Arm, tuple[float, ...]] = {}
    for arm in arms:
        if arm not in UNTOUCHED:
            gains[arm] = tuple(g for c in compared if (g := _gain(c, arm)) is not None)
    direction = compared[0].direction if compared else "maximize"
    everything = [curve for of in curves["seconds"].values() for curve in of]
    top, end = top_of(everything, direction), max((c.spent for c in everything), default=0.0)
    areas = {
        arm: tuple(a for c in of if top is not None and (a := c.area(end, top)) is not None)
        for arm, of in curves["seconds"].items()
    }
    pairs = [(a, b) for a, b in combinations(gains, 2) if gains[a] and gains[b]]
    return Repeats(
        runs=tuple(member.id for member in ended),
        unfinished=sum(member.status in RESUMABLE for member in members),
        curves=curves,
        gains=gains,
        areas=areas,
        superiority=tuple(superiority(a, gains[a], b, gains[b]) for a, b in pairs),
    )


def estimate(values: Sequence[float]) -> Estimate:
    """Raises: StatisticsError without a value."""
    n, mean = len(values), fmean(values)
    if n < 2:
        return Estimate(mean, None, None, n)
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * stdev(values) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def superiority(first: Arm, mine: Sequence[float], second: Arm, theirs: Sequence[float]) -> Superiority:
    """Neither side may be empty. The statistic is Mann and Whitney's U (1947) as a share of all pairs."""
    won = sum((a > b) + 0.5 * (a == b) for a in mine for b in theirs)
    share = won / (len(mine) * len(theirs))
    low, high = superiority_interval(share, len(mine), len(theirs)) or (None, None)
    return Superiority(first, second, share, low, high, min(len(mine), len(theirs)))


def superiority_interval(share: float, m: int, n: int) -> tuple[float, float] | None:
    """95 % interval of the share of pairs that one side wins: method 5 of Newcombe (2006, Statistics in Medicine 25:559).

    Hanley and McNeil's variance, taken at the bound and not at the estimate as Wilson does for a proportion, so that a
    clean sweep has an interval too. None below two searches on either side.
    """
    if min(m, n) < 2:
        return None
    from scipy.special import ndtri

    z, middle = float(ndtri(0.5 + LEVEL / 2)), (m + n) / 2

    def distance(bound: float) -> float:
        spread = 1 + (middle - 1) * ((1 - bound) / (2 - bound) + bound / (1 + bound))
        return abs(share - bound) - z * math.sqrt(max(0.0, bound * (1 - bound) * spread / (m * n)))

    return _crossing(distance, share, 0.0), _crossing(distance, share, 1.0)


def _crossing(distance: Callable[[float], float], inside: float, outside: float) -> float:
    """Where the distance turns positive between the estimate and the end of the scale, by halving."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if distance(middle) > 0:
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2


def _curves(ledger: Ledger, comparison: Comparison, arms: Sequence[Arm]) -> list[tuple[Arm, Axis, Curve]]:
    trials, settings = ledger.trials(comparison.run.id), comparison.run.settings
    begun = [run.score.value for t in trials if t.phase == "calibrate" for run in t.runs if run.score]
    start, hourly = fmean(begun) if begun else None, settings.get("device_dollars_per_hour")
    found = [
        (arm, axis, anytime(trials, arm, comparison.direction, start, axis=axis, hourly=hourly))
        for arm in arms
        for axis in AXES
    ]
    return [entry for entry in found if entry[2].spent > 0 or entry[1] == "dollars"]


def _gain(comparison: Comparison, arm: Arm) -> float | None:
    result = comparison.arm(arm)
    return result.gain.mean if result and result.gain else None

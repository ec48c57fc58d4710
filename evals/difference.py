"""How much better one side's runs are than the other's, paired by seed, with an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clusters import bootstrap_standard_error
from .trial import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
_ROUNDING = 1e-12
"""Below this share of the values themselves a spread is rounding, not variance."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Positive is better, whatever the metric's direction."""

    mean: float | None
    """Over the common seeds; None when there are none."""
    low: float | None
    high: float | None
    """95 % interval; None when the runs cannot give one, and then nothing may be claimed."""
    n: int
    """Common seeds with a score on both sides."""
    method: str
    """How the interval was made, in words."""
    tie: bool
    """The interval contains 0, or there is none."""
    unpaired: int = 0
    """Runs left out: the seed has no score on one of the sides."""

    @property
    def better(self) -> bool:
        """Whether a gain may be claimed: the whole interval lies above 0."""
        return not self.tie and self.mean is not None and self.mean > 0


def difference(
    candidate: Sequence[Run], reference: Sequence[Run], direction: str, *, level: float = LEVEL
) -> Difference:
    """Mean paired difference over the common seeds, and its two-sided interval at `level`.

    Without per-example values: Student's t over the seeds. With per-example values of equal length on both sides the
    interval covers both sources of luck, the seeds that were drawn and the examples that were drawn (Bouthillier et al.
    2021 on why more than one source counts): see `crossed_half_width`, and `clusters` for examples that come in groups.

    Fewer than two common seeds give no interval. Neither do seeds that all show the same difference other than 0, when
    there are no per-example values: nothing then says how far luck could have moved it.
    """
    sign = 1.0 if direction == "maximize" else -1.0
    pairs = _pairs(candidate, reference)
    left_out = len(candidate) + len(reference) - 2 * len(pairs)
    if not pairs:
        return Difference(None, None, None, 0, "no common seed has a score on both sides", True, left_out)
    gains = _gains(pairs, sign)
    rounding = _ROUNDING * _scale(pairs)
    mean = math.fsum(gains) / len(gains)
    if mismatch := _mismatch(pairs):
        return Difference(mean, None, None, len(gains), mismatch, True, left_out)
    half, method = _half_width(gains, _examples(pairs, sign), _groups(pairs), (level, rounding))
    if half is not None and half <= rounding < abs(mean):
        half, method = None, f"no interval: the same difference wherever there is one, over {len(gains)} seeds"
    if half is None:
        return Difference(mean, None, None, len(gains), method, True, left_out)
    if half == 0.0 and abs(mean) <= rounding:
        mean = 0.0
    low, high = mean - half, mean + half
    return Difference(mean, low, high, len(gains), method, low <= 0.0 <= high, left_out)


def paired_gains(candidate: Sequence[Run], reference: Sequence[Run], direction: str) -> dict[int, float]:
    """By seed, how much better the candidate was on it; seeds without a score on both sides are left out."""
    pairs = _pairs(candidate, reference)
    gains = _gains(pairs, 1.0 if direction == "maximize" else -1.0)
    return {mine.seed: gain for (mine, _), gain in zip(pairs, gains, strict=True)}


def sign_flip_floor(n: int) -> float:
    """The smallest two-sided p that flipping the signs of n paired differences can reach: 2 / 2^n."""
    return min(1.0, 2.0 / 2.0**n)


def _pairs(candidate: Sequence[Run], reference: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs of the same seed and split that both have a score, by seed."""
    theirs = {(run.split, run.seed): run for run in reference if run.score is not None}
    mine = {(run.split, run.seed): run for run in candidate if run.score is not None}
    return [(mine[key], theirs[key]) for key in sorted(mine.keys() & theirs.keys())]


def _scale(pairs: Sequence[tuple[Run, Run]]) -> float:
    return max(abs(run.score.value) for pair in pairs for run in pair if run.score)


def _gains(pairs: Sequence[tuple[Run, Run]], sign: float) -> list[float]:
    return [sign * (mine.score.value - theirs.score.value) for mine, theirs in pairs if mine.score and theirs.score]


def _mismatch(pairs: Sequence[tuple[Run, Run]]) -> str:
    """Why the runs' per-example values cannot be held against each other; a narrower interval must not be had that way."""
    scores = [run.score for pair in pairs for run in pair if run.score]
    if len({None if s.per_example is None else len(s.per_example) for s in scores}) > 1:
        return "no interval: not all runs have the same number of per-example values"
    if len({s.groups for s in scores}) > 1:
        return "no interval: the runs do not agree about the groups of the examples"
    return ""


def _examples(pairs: Sequence[tuple[Run, Run]], sign: float) -> "NDArray[np.float64] | None":
    """Differences, seeds x examples; None unless every run has the same number of per-example values, two or more."""
    import numpy as np

    values = [run.score.per_example for pair in pairs for run in pair if run.score]
    lengths = {len(v) if v is not None else 0 for v in values}
    if len(lengths) != 1 or max(lengths) < 2:
        return None
    table = np.array(values, dtype=np.float64)
    return np.asarray(sign * (table[0::2] - table[1::2]), dtype=np.float64)


def _groups(pairs: Sequence[tuple[Run, Run]]) -> "NDArray[np.int64] | None":
    """The examples' groups; None where no group has two of them, or where the runs do not agree about them."""
    import numpy as np

    found = {run.score.groups for pair in pairs for run in pair if run.score}
    groups = found.pop() if len(found) == 1 else None
    return None if groups is None or len(set(groups)) == len(groups) else np.asarray(groups, dtype=np.int64)


def _half_width(
    gains: Sequence[float],
    examples: "NDArray[np.float64] | None",
    groups: "NDArray[np.int64] | None",
    level_and_rounding: tuple[float, float],
) -> tuple[float | None, str]:
    """Half the interval's width and how it was made; None when the runs cannot give one."""
    level, rounding = level_and_rounding
    n = len(gains)
    if n < 2:
        return None, "no interval: one common seed shows no spread"
    if examples is not None and bool(abs(examples).max() > rounding):
        if groups is None:
            return crossed_half_width(examples, level), f"paired over {n} seeds x {examples.shape[1]} examples, crossed"
        count = int(groups.max()) + 1
        if count < 2:
            return None, "no interval: all examples are of one group"
        return _clustered(gains, examples, groups, level), f"paired over {n} seeds x {count} groups, cluster bootstrap"
    if max(gains) - min(gains) > rounding:
        return _quantile(n - 1, level) * _standard_error(gains), f"paired t over {n} seeds"
    if abs(math.fsum(gains) / n) <= rounding:
        return 0.0, f"identical on {n} seeds"
    return None, f"no interval: the same difference on all {n} seeds, and no per-example values"


def _clustered(
    gains: Sequence[float], examples: "NDArray[np.float64]", groups: "NDArray[np.int64]", level: float
) -> float:
    """Never narrower than Student's t over the seeds, as for single examples."""
    n, count = len(gains), int(groups.max()) + 1
    both = _quantile(min(n, count) - 1, level) * bootstrap_standard_error(examples, groups)
    return max(both, _quantile(n - 1, level) * _standard_error(gains))


def crossed_half_width(differences: "NDArray[np.float64]", level: float = LEVEL) -> float:
    """Half the width of the interval of the mean of a seeds x examples table, both drawn at random.

    The table is X[s, e] = mu + A[s] + B[e] + E[s, e] (two-way crossed, one value a cell), so with S seeds, N examples and
    the usual mean squares MS_A, MS_B, MS_E:

        Var(mean) = (MS_A + MS_B - MS_E) / (S N)        (Searle, Casella & McCulloch 1992, section 4.7)

    with Satterthwaite's (1946) degrees of freedom. MS_E is taken off only as far as neither source alone would look
    more certain than it is, and the interval is never narrower than Student's t over the seeds, because with few seeds
    MS_A is small by chance too often for Satterthwaite to notice.
    """
    import numpy as np

    seeds, examples = differences.shape
    mean = differences.mean()
    rows = differences.mean(axis=1)
    columns = differences.mean(axis=0)
    residual = differences - rows[:, None] - columns[None, :] + mean
    ms_seeds = examples * float(np.sum((rows - mean) ** 2)) / (seeds - 1)
    ms_examples = seeds * float(np.sum((columns - mean) ** 2)) / (examples - 1)
    dof_residual = (seeds - 1) * (examples - 1)
    ms_residual = min(float(np.sum(residual**2)) / dof_residual, ms_seeds, ms_examples)
    squares = ms_seeds + ms_examples - ms_residual
    if squares <= 0.0:
        return 0.0
    spread = ms_seeds**2 / (seeds - 1) + ms_examples**2 / (examples - 1) + ms_residual**2 / dof_residual
    both = _quantile(squares**2 / spread, level) * math.sqrt(squares / (seeds * examples))
    seeds_alone = _quantile(seeds - 1, level) * math.sqrt(ms_seeds / (seeds * examples))
    return max(both, seeds_alone)


def _standard_error(values: Sequence[float]) -> float:
    n = len(values)
    mean = math.fsum(values) / n
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)


def _quantile(degrees: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))

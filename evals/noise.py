"""How much luck alone moves the score."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from .acceptance import fewest_seeds, passed_at
from .trial import Run

MOST_SIMULATED = 10
DRAWS = 300


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of one code's score over seeds."""

    sd: float
    n: int
    mean: float

    def minimum_detectable_effect(self, n: int, *, level: float = 0.025, power: float = 0.8) -> float:
        """The smallest true gain that a test over `n` paired seeds at this one-sided level finds with this power.

        In the metric's unit. sd_d, of a paired difference, is taken for sqrt(2) * sd, as if the two sides' seeds had nothing in
        common: an upper value, because pairing can only help where it works. The power is that of the sign-flip test itself, of
        simulated normal differences, up to MOST_SIMULATED seeds, and of Student's t (noncentral t) beyond, which it comes
        near to there; infinite where that cannot pass at all (2^-n above the level), below two
        seeds, and where nothing was seen to vary. Only the luck of the seeds counts here.
        """
        if n < max(2, fewest_seeds(level)) or self.sd == 0.0:
            return math.inf
        return _detectable(n, level, power) * math.sqrt(2) * self.sd


@functools.lru_cache(maxsize=256)
def _detectable(n: int, level: float, power: float) -> float:
    """In standard deviations of a paired difference."""
    if n > MOST_SIMULATED:
        from scipy.optimize import brentq
        from scipy.stats import nct, t

        beyond = t.ppf(1 - level, n - 1)
        return float(brentq(lambda nc: nct.sf(beyond, n - 1, nc) - power, 0.0, 50.0 + 10.0 * beyond)) / math.sqrt(n)
    import numpy as np

    luck = np.random.default_rng(n).normal(size=(DRAWS, n))
    low, high = 0.0, 8.0
    for _ in range(9):
        middle = (low + high) / 2
        passed = sum(passed_at((luck_of_one + middle).tolist(), n, level) is not None for luck_of_one in luck)
        low, high = (low, middle) if passed >= power * DRAWS else (middle, high)
    return high


def noise_of(runs: Sequence[Run]) -> Noise | None:
    """Noise over the scored runs; None with fewer than two, which show no spread."""
    values = sorted(run.score.value for run in runs if run.score is not None)
    if len(values) < 2:
        return None
    return Noise(sd=stdev(values), n=len(values), mean=fmean(values))

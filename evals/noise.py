"""How much luck alone moves the score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from .acceptance import fewest_seeds
from .trial import Run


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of one code's score over seeds."""

    sd: float
    n: int
    mean: float

    def minimum_detectable_effect(self, n: int, *, level: float = 0.025, power: float = 0.8) -> float:
        """The smallest true gain that a test over `n` paired seeds at this one-sided level finds with this power.

        In the metric's unit. sd_d, of a paired difference, is taken for sqrt(2) * sd, as if the two sides' seeds had nothing in
        common: an upper value, because pairing can only help where it works. The power is that of Student's t (noncentral
        t), which the sign-flip test comes near to; infinite where that cannot pass at all (2^-n above the level), and below
        two seeds.
        """
        if n < max(2, fewest_seeds(level)):
            return math.inf
        from scipy.optimize import brentq
        from scipy.stats import nct, t

        beyond = t.ppf(1 - level, n - 1)
        shift = brentq(lambda nc: nct.sf(beyond, n - 1, nc) - power, 0.0, 50.0 + 10.0 * beyond)
        return float(shift) * math.sqrt(2) * self.sd / math.sqrt(n)


def noise_of(runs: Sequence[Run]) -> Noise | None:
    """Noise over the scored runs; None with fewer than two, which show no spread."""
    values = sorted(run.score.value for run in runs if run.score is not None)
    if len(values) < 2:
        return None
    return Noise(sd=stdev(values), n=len(values), mean=fmean(values))

"""How much luck alone moves the score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from .trial import Run


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of one code's score over seeds."""

    sd: float
    n: int
    mean: float

    def minimum_detectable_effect(self, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
        """The smallest true gain that `n` paired seeds find with this power, two-sided: (t + t) * sd_d / sqrt(n).

        sd_d is sqrt(2) * sd, as if the two sides' seeds had nothing in common: an upper value, because pairing by seed
        can only help where it works. Infinite below two seeds. Quantiles of t with n - 1 degrees of freedom in place of
        z, which is too small by a quarter at n = 6.
        """
        if n < 2:
            return math.inf
        from scipy.stats import t

        quantiles = float(t.ppf(1 - alpha / 2, n - 1) + t.ppf(power, n - 1))
        return quantiles * math.sqrt(2) * self.sd / math.sqrt(n)


def noise_of(runs: Sequence[Run]) -> Noise | None:
    """Noise over the scored runs; None with fewer than two, which show no spread."""
    values = sorted(run.score.value for run in runs if run.score is not None)
    if len(values) < 2:
        return None
    return Noise(sd=stdev(values), n=len(values), mean=fmean(values))

"""A gain must be larger than luck makes one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from ...targets.target import Target
from ..difference import Difference, difference
from ..noise import Noise, noise_of
from ..trial import Run, Verdict

LEVEL = 0.95
"""One-sided: the question is only whether the candidate is better."""


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Passes when the paired mean gain over all of the incumbent's seeds is above t * sd / sqrt(seeds).

    Two seeds alone say next to nothing about their spread, so sd pools, by degrees of freedom, the spread of the paired
    gains with twice the variance of the incumbent's own runs (or of `noise`, where more runs were measured): an upper
    value, because seeds in common can only take noise out. Where nothing varies with the seed, the spread over examples
    decides, when there are per-example values.

    A seed without a score, or not run at all, fails the gate.
    """

    noise: Noise | None = None
    name: str = "noise_floor"

    def judge(self, target: Target, runs: Sequence[Run], incumbent: Sequence[Run]) -> Verdict:
        problem = _incomplete(runs, incumbent)
        if problem:
            return Verdict(self.name, False, problem)
        gain = difference(runs, incumbent, target.metric.direction)
        if gain.mean is None:
            return Verdict(self.name, False, gain.method)
        floor = self._floor(gain, runs, incumbent)
        if floor is None:
            return Verdict(
                self.name, False, f"gain {gain.mean:+.4g} on one seed, and no measured noise to hold it against"
            )
        passed = gain.mean > max(floor, 0.0)
        words = "above" if passed else "not above"
        return Verdict(self.name, passed, f"gain {gain.mean:+.4g} is {words} the noise floor {floor:.4g}")

    def _floor(self, gain: Difference, runs: Sequence[Run], incumbent: Sequence[Run]) -> float | None:
        """None when nothing measures the noise."""
        noise = self.noise or noise_of(incumbent)
        if noise is None:
            return None
        theirs = {run.seed: run.score.value for run in incumbent if run.score}
        gains = [run.score.value - theirs[run.seed] for run in runs if run.score]
        degrees, squares = noise.n - 1, (noise.n - 1) * 2 * noise.sd**2
        if len(gains) > 1:
            degrees += len(gains) - 1
            squares += (len(gains) - 1) * variance(gains)
        scale = max(abs(fmean(theirs.values())), 1e-300)
        if squares / degrees > (1e-12 * scale) ** 2:
            from scipy.special import stdtrit

            return float(stdtrit(degrees, LEVEL)) * math.sqrt(squares / degrees / len(gains))
        return _floor_of_examples(gain)


def _floor_of_examples(gain: Difference) -> float:
    """The 95 % one-sided bound, from the two-sided interval over examples; 0 where there is none."""
    if gain.mean is None or gain.high is None:
        return 0.0
    from scipy.special import ndtri

    return (gain.high - gain.mean) * float(ndtri(LEVEL) / ndtri(0.5 + LEVEL / 2))


def _incomplete(runs: Sequence[Run], incumbent: Sequence[Run]) -> str:
    for run in (*runs, *incumbent):
        if run.score is None:
            return f"seed {run.seed} has no score ({run.status}: {run.reason})"
    mine, theirs = {run.seed for run in runs}, {run.seed for run in incumbent}
    if not mine or mine != theirs:
        missing = ", ".join(map(str, sorted(mine ^ theirs))) or "all"
        return f"the candidate and the incumbent have not run the same seeds: {missing}"
    return ""

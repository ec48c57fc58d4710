"""Optuna's Gaussian process with log expected improvement (Ament et al. 2023): for few, costly, noisy trials.

It holds all results at once, so an ask costs seconds after some hundred of them; asks in flight are integrated over.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...targets.tunable import Tunable
from .optuna import OptunaTuner
from .space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

STARTUP_TRIALS = 10


def gp(space: Sequence[Tunable], *, seed: int, direction: str) -> OptunaTuner:
    return OptunaTuner("gp", Space(space), _sampler, seed=seed, direction=direction)


def _sampler(seed: int) -> "BaseSampler":
    from optuna.samplers import GPSampler

    # Scores are noisy over seeds: the noise is fitted too.
    return GPSampler(n_startup_trials=STARTUP_TRIALS, deterministic_objective=False, seed=seed)

"""Optuna's tree-structured Parzen estimator, multivariate (Falkner, Klein & Hutter 2018, section 3), the default tuner.

Ten start-up trials, the code's defaults among them, are as many as Optuna's own default.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...targets.tunable import Tunable
from .optuna import OptunaTuner
from .space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

STARTUP_TRIALS = 10


def tpe(space: Sequence[Tunable], *, seed: int, direction: str) -> OptunaTuner:
    return OptunaTuner("tpe", Space(space), tpe_sampler, seed=seed, direction=direction)


def tpe_sampler(seed: int) -> "BaseSampler":
    from optuna.samplers import TPESampler

    # constant_liar: asks in flight count as bad points, so that parallel asks do not crowd together.
    return TPESampler(n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=seed)

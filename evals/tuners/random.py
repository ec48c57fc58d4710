"""Random search in the same space (Bergstra & Bengio 2012): what any tuner has to beat."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...targets.tunable import Tunable
from .optuna import OptunaTuner
from .space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def random(space: Sequence[Tunable], *, seed: int, direction: str) -> OptunaTuner:
    return OptunaTuner("random", Space(space), _sampler, seed=seed, direction=direction)


def _sampler(seed: int) -> "BaseSampler":
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)

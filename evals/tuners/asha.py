"""TPE whose trials climb the target's rungs: asynchronous successive halving (Li et al. 2020) with a model (Falkner,
Klein & Hutter 2018).

With rungs every arm promotes by the same rule (`evals/rungs.py`), so that the compute stays equal and this tuner has no
edge over the others but its name: it insists on a target that has rungs. `hyperband` is the same under the name people
know; its outer loop over several halving rates is not made, because here the rate follows the measured correlation.
"""

from collections.abc import Sequence
from functools import partial

from ...targets.tunable import Tunable
from .optuna import OptunaTuner
from .space import Space
from .tpe import tpe_sampler


def _climbing(name: str, space: Sequence[Tunable], *, seed: int, direction: str) -> OptunaTuner:
    return OptunaTuner(name, Space(space), tpe_sampler, seed=seed, direction=direction)


asha = partial(_climbing, "asha")
hyperband = partial(_climbing, "hyperband")

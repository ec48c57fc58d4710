"""CMA-ES (Hansen & Ostermeier 2001) over the numbers of the space, TPE over its choices: for smooth spaces of numbers.

Optuna's own CmaEsSampler keeps its state in trials that it asked for itself; in a study made again from told results it
would draw from its first distribution for ever. Here the state is made again from the results, generation by generation
in the order they were told. Points that CMA-ES did not ask for, such as the defaults, count like its own (Hansen 2011).
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...targets.tunable import Tunable
from .optuna import OptunaTuner
from .space import Space
from .tpe import STARTUP_TRIALS

if TYPE_CHECKING:
    import numpy as np
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

SIGMA = 1 / 6
"""Of the first generation, in a space scaled to [0, 1]: as Optuna has it."""


def cmaes(space: Sequence[Tunable], *, seed: int, direction: str) -> OptunaTuner:
    return OptunaTuner("cmaes", Space(space), _sampler, seed=seed, direction=direction)


def population(space: Sequence[Tunable]) -> int:
    """Results that CMA-ES waits for before it learns anything: its first generation."""
    numbers = sum(t.choices is None and t.type != "bool" for t in space)
    return 4 + math.floor(3 * math.log(max(2, numbers)))


def _sampler(seed: int) -> "BaseSampler":
    from optuna.samplers import BaseSampler, TPESampler
    from optuna.trial import TrialState

    class Replayed(BaseSampler):  # type: ignore[misc]  # Optuna is not read by the type checker
        """The public interface of a sampler; asks are answered from the study's completed trials alone."""

        def __init__(self) -> None:
            self._others = TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed)

        def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> dict[str, "BaseDistribution"]:
            complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            return _numbers(complete[0].distributions) if complete else {}

        def sample_relative(
            self, study: "Study", trial: "FrozenTrial", search_space: dict[str, "BaseDistribution"]
        ) -> dict[str, Any]:
            complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            return _next(complete, search_space, seed) if search_space else {}

        def sample_independent(
            self, study: "Study", trial: "FrozenTrial", name: str, distribution: "BaseDistribution"
        ) -> Any:
            return self._others.sample_independent(study, trial, name, distribution)

    return Replayed()


def _numbers(distributions: Mapping[str, "BaseDistribution"]) -> dict[str, "BaseDistribution"]:
    from optuna.distributions import CategoricalDistribution

    return {n: d for n, d in distributions.items() if not isinstance(d, CategoricalDistribution) and not d.single()}


def _next(told: "Sequence[FrozenTrial]", space: Mapping[str, "BaseDistribution"], seed: int) -> dict[str, Any]:
    import numpy as np
    from cmaes import CMA

    names = sorted(space)
    bounds = np.array(
        [[0.0, 1.0]] * max(2, len(names))
    )  # CMA-ES needs two dimensions: a lone one gets an idle companion
    points = [_inward(trial.params, space, names) for trial in told]
    # The first told is the code as it is; a mean on a bound would waste half of what is drawn.
    mean = np.clip(points[0], SIGMA, 1 - SIGMA)
    optimizer = CMA(mean=mean, sigma=SIGMA, bounds=bounds, seed=seed, n_max_resampling=10 * len(bounds))
    size = optimizer.population_size
    for start in range(0, len(told) - size + 1, size):
        generation = range(start, start + size)
        optimizer.tell([(points[i], -(told[i].value or 0.0)) for i in generation])  # CMA-ES minimises
        if optimizer.should_stop():
            break  # it has converged: what is left is drawn where it stands
    # The generator's state is where its seed puts it: telling draws nothing.
    return _outward(optimizer.ask(), space, names)


def _inward(params: Mapping[str, Any], space: Mapping[str, Any], names: Sequence[str]) -> "np.ndarray[Any, Any]":
    import numpy as np

    scaled = []
    for name in names:
        low, high, value = _scaled(space[name], space[name].low, space[name].high, params[name])
        scaled.append((value - low) / (high - low))
    return np.array(scaled + [0.5] * (2 - len(scaled)))


def _outward(point: "np.ndarray[Any, Any]", space: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    from optuna.distributions import IntDistribution

    values: dict[str, Any] = {}
    for name, at in zip(names, point.tolist(), strict=False):  # an idle companion has no name
        d = space[name]
        low, high, _ = _scaled(d, d.low, d.high, d.low)
        value = low + at * (high - low)
        value = min(max(math.exp(value) if d.log else value, d.low), d.high)
        values[name] = round(value) if isinstance(d, IntDistribution) else value
    return values


def _scaled(distribution: Any, *values: float) -> list[float]:
    return [math.log(value) for value in values] if distribution.log else [float(value) for value in values]

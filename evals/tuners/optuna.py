"""A tuner around any Optuna sampler, without Optuna's storage: what it was told is all it knows.

Every `ask` builds a study in memory from the told history, with a sampler seeded by (seed, how many asks came before).
So a tuner made again from the ledger's rows goes on exactly as the one that was killed would have.
"""

import hashlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...targets.tunable import Value
from ..trial import Params, Score
from .space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study

FRESH_TRIES = 20
"""Asks for a point that was not tried before; in a small space of choices there may be none left."""


class OptunaTuner:
    """`make_sampler` gets a seed and returns a sampler. Asks may be in flight while others are told."""

    def __init__(
        self, name: str, space: Space, make_sampler: Callable[[int], "BaseSampler"], *, seed: int, direction: str
    ) -> None:
        self.name = name
        self._space = space
        self._make_sampler = make_sampler
        self._seed = seed
        self._sign = 1.0 if direction == "maximize" else -1.0
        self._told: list[tuple[dict[str, Value], float | None]] = []
        self._pending: list[dict[str, Value]] = []

    def ask(self) -> Params:
        """Values for every tunable of the space. When all points of a small space were tried, one of them again."""
        asked = len(self._told) + len(self._pending)
        if asked == 0:
            params = self._space.defaults
        else:
            seen = [params for params, _ in self._told] + self._pending
            for attempt in range(FRESH_TRIES):
                params = self._sample(f"{self._seed}:{asked}:{attempt}")
                if params not in seen:
                    break
        self._pending.append(params)
        return dict(params)

    def asked(self, params: Params) -> None:
        """Counts as asked and not yet told."""
        self._pending.append(self._space.fill(params))

    def tell(self, params: Params, score: Score | None) -> None:
        """Names that are not given have the code's own value. `None` is a run that failed."""
        filled = self._space.fill(params)
        if filled in self._pending:
            self._pending.remove(filled)
        self._told.append((filled, None if score is None else self._sign * score.value))

    def _sample(self, seed: str) -> dict[str, Value]:
        digest = hashlib.sha256(seed.encode()).digest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna calls its multivariate sampler experimental, once each
            study = self._study(self._make_sampler(int.from_bytes(digest[:4], "big")))
            return self._space.outward(study.ask(self._space.distributions).params)

    def _study(self, sampler: "BaseSampler") -> "Study":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        penalty = _penalty([value for _, value in self._told if value is not None])
        for params, value in self._told:
            self._add(study, params, penalty if value is None else value)
        for params in self._pending:
            self._add(study, params, None)
        return study

    def _add(self, study: "Study", params: dict[str, Value], value: float | None) -> None:
        from optuna.trial import TrialState, create_trial

        inner = self._space.inward(params)
        if inner is None:
            return
        state = TrialState.RUNNING if value is None else TrialState.COMPLETE
        distributions = self._space.distributions
        study.add_trial(create_trial(state=state, value=value, params=dict(inner), distributions=distributions))


def _penalty(seen: list[float]) -> float:
    """What a failed run counts as: a finite number below the worst seen, so that the sampler keeps away from it.

    Optuna ignores a trial that is told as failed, and would go on asking for it.
    """
    if not seen:
        return 0.0
    return min(seen) - max(max(seen) - min(seen), abs(min(seen)), 1.0)

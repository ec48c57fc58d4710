"""The space a tuner searches, in its own terms: every value a number or an index, made and read back exactly."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...targets.errors import TargetError
from ...targets.tunable import Tunable, Value
from ..trial import Params

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class Space:
    """Raises: TargetError for a tunable without a range, or for none at all."""

    def __init__(self, tunables: Sequence[Tunable]) -> None:
        if not tunables:
            raise TargetError("there is nothing to tune", wanted="at least one tunable", fix="see `branchlab map`")
        self.tunables = tuple(tunables)
        self.distributions: dict[str, BaseDistribution] = {t.name: _distribution(t) for t in self.tunables}

    @property
    def defaults(self) -> dict[str, Value]:
        return {t.name: t.default for t in self.tunables}

    def fill(self, params: Params) -> dict[str, Value]:
        """All of the space's values: those given, the code's own for the rest. Names it does not have are left out."""
        return {name: params.get(name, default) for name, default in self.defaults.items()}

    def outward(self, inner: Mapping[str, float | int]) -> dict[str, Value]:
        """The sampler's values as values of the code, of the type the literal has."""
        return {t.name: _outward(t, inner[t.name]) for t in self.tunables}

    def inward(self, params: Params) -> dict[str, float | int] | None:
        """The code's values as the sampler's. A number outside its range (a default can be) counts as the nearest in
        it; None when a choice is not one of the choices."""
        inner: dict[str, float | int] = {}
        for tunable in self.tunables:
            value = params[tunable.name]
            choices = _choices(tunable)
            if choices is not None:
                matching = [
                    i for i, c in enumerate(choices) if c == value and isinstance(c, bool) == isinstance(value, bool)
                ]
                if not matching:
                    return None
                inner[tunable.name] = matching[0]
            elif isinstance(value, str) or tunable.low is None or tunable.high is None:
                return None
            else:
                number = min(max(value, tunable.low), tunable.high)
                inner[tunable.name] = int(number) if tunable.type == "int" else float(number)
        return inner


def _choices(tunable: Tunable) -> tuple[Value, ...] | None:
    if tunable.choices is None and tunable.type == "bool":
        return (False, True)
    return tunable.choices


def _distribution(tunable: Tunable) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    choices = _choices(tunable)
    if choices:
        # Indices, because Optuna takes 1, 1.0 and True for the same choice.
        return CategoricalDistribution(tuple(range(len(choices))))
    low, high = tunable.low, tunable.high
    if low is None or high is None or not low < high:
        raise TargetError(
            "a tunable needs a range or choices", wanted="low < high", found=f"{low} .. {high}", where=tunable.name
        )
    log = tunable.log and low > 0
    if tunable.type == "int":
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _outward(tunable: Tunable, value: float | int) -> Value:
    choices = _choices(tunable)
    if choices is not None:
        return choices[int(value)]
    return int(value) if tunable.type == "int" else float(value)

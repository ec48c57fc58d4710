"""Searches over the numbers and switches of the code. A new one is a file and a line in TUNERS."""

from collections.abc import Callable, Sequence

from ...targets.errors import UsageError
from ...targets.tunable import Tunable
from .base import Tuner as Tuner
from .random import random
from .tpe import tpe

TUNERS: dict[str, Callable[..., Tuner]] = {"tpe": tpe, "random": random}


def make_tuner(name: str, space: Sequence[Tunable], *, seed: int, direction: str) -> Tuner:
    """The tuner of this name over `space`; `direction` is the metric's, `maximize` or `minimize`.

    Raises: UsageError for a name not in TUNERS; TargetError for a space with nothing to tune.
    """
    if name not in TUNERS:
        raise UsageError("no such tuner", wanted=" or ".join(TUNERS), found=name)
    return TUNERS[name](space, seed=seed, direction=direction)

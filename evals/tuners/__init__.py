"""Searches over the numbers and switches of the code. A new one is a file and a line in TUNERS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from ...targets.errors import UsageError
from ...targets.tunable import Tunable
from .asha import asha, hyperband
from .base import Tuner as Tuner
from .cmaes import cmaes, population
from .gp import STARTUP_TRIALS as GP_STARTUP
from .gp import gp
from .random import random
from .tpe import STARTUP_TRIALS as TPE_STARTUP
from .tpe import tpe

TUNERS: dict[str, Callable[..., Tuner]] = {
    "tpe": tpe, "random": random, "cmaes": cmaes, "gp": gp, "asha": asha, "hyperband": hyperband,
}  # fmt: skip
NEED_RUNGS = frozenset({"asha", "hyperband"})
_PACKAGES = {"cmaes": ("cmaes",), "gp": ("torch", "scipy")}
_SAMPLERS = {
    "tpe": "TPE, multivariate", "random": "random search", "cmaes": "CMA-ES, with TPE for choices",
    "gp": "Gaussian process, log expected improvement", "asha": "ASHA: TPE, multivariate, on the target's rungs",
    "hyperband": "ASHA: TPE, multivariate, on the target's rungs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class About:
    """What a reader must know of the tuner before believing that it is a fair opponent."""

    name: str
    sampler: str
    version: str
    startup: int
    """Trials before it models anything: up to here it is random search (CMA-ES: its first generation)."""


def check_tuner(name: str, *, rungs: bool) -> None:
    """Nothing for a tuner that can be used; `rungs` says whether the target has any.

    Raises: UsageError for a name not in TUNERS, a package that is not installed, a tuner that needs rungs.
    """
    if name not in TUNERS:
        raise UsageError("no such tuner", wanted=" or ".join(TUNERS), found=name)
    missing = [package for package in _PACKAGES.get(name, ()) if find_spec(package) is None]
    if missing:
        message, fix = f"the tuner {name} needs what is not installed", 'pip install "branchlab[tuners]"'
        raise UsageError(message, wanted=", ".join(missing), fix=fix)
    if name in NEED_RUNGS and not rungs:
        message = f"the tuner {name} climbs rungs, and this target has none"
        raise UsageError(message, wanted="a part [rungs] in target.toml", fix='add it, or set tuner = "tpe"')


def about(name: str, space: Sequence[Tunable]) -> About:
    """What there is to say of the tuner of this name on this space. Raises: UsageError as `check_tuner` does."""
    check_tuner(name, rungs=True)
    startup = {"random": 0, "cmaes": population(space), "gp": GP_STARTUP}.get(name, TPE_STARTUP)
    made_by = "cmaes" if name == "cmaes" else "optuna"
    return About(name, _SAMPLERS[name], f"{made_by} {version(made_by)}", startup)


def make_tuner(name: str, space: Sequence[Tunable], *, seed: int, direction: str) -> Tuner:
    """The tuner of this name over `space`; `direction` is the metric's, `maximize` or `minimize`.

    Raises: UsageError for a name not in TUNERS or a package that is not installed; TargetError for a space with nothing
        to tune.
    """
    check_tuner(name, rungs=True)
    return TUNERS[name](space, seed=seed, direction=direction)

"""Before the search: the smallest gain that the planned runs can find, and the budget that could find a wanted one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..evals.acceptance import ALPHA, fewest_seeds
from ..evals.noise import Noise
from ..evals.trial import Arm
from ..targets.errors import BudgetError
from ..targets.target import Target
from .policy import Plan, budget_for
from .scale_plan import most_reserved

POWER = 0.8
MOST_SEEDS = 2000


@dataclass(frozen=True, slots=True)
class Resolution:
    """All effects in the metric's unit."""

    effect: float | None
    """Found with 80 % power; None when the planned seeds cannot accept anything, or nobody knows the noise."""
    seeds: int
    level: float
    """One-sided, of one of the arms' winners when none of the others is accepted."""
    fewest_seeds: int
    """That can accept anything at this level."""
    wanted: float | None
    needed_seeds: int | None
    """For the wanted effect; None when nothing is wanted or no number of seeds is enough."""
    needed_budget: float | None
    """Device seconds for that many seeds."""


def resolution(target: Target, noise: Noise | None, plan: Plan, spent: float, arms: Sequence[Arm]) -> Resolution:
    level = ALPHA / max(1, sum(arm != "rerun" for arm in arms))
    seeds, wanted = len(plan.confirm_seeds), target.metric.wanted_effect
    effect = noise.minimum_detectable_effect(seeds, level=level, power=POWER) if noise else math.inf
    needed = _seeds_for(wanted, noise, level) if wanted is not None and noise else None
    longer = target.rungs.scale_up * plan.run_seconds if target.rungs else 0.0
    budget = budget_for(needed, spent, plan.run_seconds, arms) + most_reserved(longer, arms) if needed else None
    found = effect if math.isfinite(effect) else None
    return Resolution(found, seeds, level, fewest_seeds(level), wanted, needed, budget)


def refuse_what_cannot_resolve(found: Resolution, target: Target, jobs: int) -> None:
    """Nothing where the plan can find the wanted effect, where none is wanted, and where the user forces it.

    Raises: BudgetError that says what would be enough.
    """
    if found.wanted is None or target.force or (found.effect is not None and found.effect <= found.wanted):
        return
    raise BudgetError(
        "the planned runs cannot find the wanted effect",
        wanted=f"metric.wanted_effect {found.wanted:g}",
        found=f"{in_words(found, target.metric.name)}",
        fix=f"{_enough(found, target, jobs)}, or `force = true` in target.toml",
    )


def in_words(found: Resolution, metric: str) -> str:
    if found.seeds < found.fewest_seeds:
        return f"{found.seeds} fresh seeds cannot accept any gain: {found.fewest_seeds} can"
    if found.effect is None:
        return "the noise is not known, nor what can be found"
    return (
        f"a gain of about {found.effect:.2g} {metric} is found four times in five on {found.seeds} fresh seeds, a smaller one less often "
        "(the luck of the seeds alone, from few runs)"
    )


def _enough(found: Resolution, target: Target, jobs: int) -> str:
    if found.needed_seeds is None or found.needed_budget is None:
        return "want a larger effect"
    minutes = math.ceil(found.needed_budget / jobs / 60)
    listed = len(target.seeds.confirm)
    seeds = f" and {found.needed_seeds} seeds in seeds.confirm" if found.needed_seeds > listed else ""
    return f"--budget {minutes}m{seeds}"


def _seeds_for(wanted: float, noise: Noise, level: float) -> int | None:
    """The fewest seeds whose detectable effect is no larger; it falls with the seeds, so halving the range finds it."""

    def enough(n: int) -> bool:
        return noise.minimum_detectable_effect(n, level=level, power=POWER) <= wanted

    low, high = 1, MOST_SEEDS
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

"""What rungs cost, and what of the budget is kept for the scale-up: pure functions over what the ledger holds."""

from collections.abc import Callable, Sequence
from statistics import median

from ..evals.scaling import SCALED_ARMS
from ..evals.trial import Arm, Trial
from ..targets.errors import BudgetError
from .policy import Plan

SCALE_UP_PART = 0.3
"""At most this part of what is left after calibrating goes into the scale-up; where fewer than two seeds fit, none does."""
SCALE_UP_SEEDS = (3, 2)


def rung_seconds(trials: Sequence[Trial]) -> dict[str, float]:
    """Device seconds of one run at each rung, as medians over these trials' runs; `full` is there when anything ran.

    The first run of all also starts what the others find started.
    """
    seconds: dict[str, list[float]] = {}
    for run in (run for trial in trials for run in (*trial.ladder, *trial.runs)):
        seconds.setdefault(run.rung, []).append(run.device_seconds)
    return {rung: median(values) for rung, values in seconds.items()}


def with_scale_up(
    divided: Callable[[float], Plan], left: float, run_seconds: float, arms: Sequence[Arm]
) -> tuple[Plan, tuple[int, ...]]:
    """The plan, and the seeds of the scale-up it leaves room for; none where the budget does not allow it.

    Args:
        divided: the plan when so many device seconds are kept back. Raises BudgetError when that is too much.
        left: device seconds after calibrating.
        run_seconds: one run at scale-up length; 0 where the target has no rungs.

    Raises: BudgetError when the budget cannot pay for a verdict even without a scale-up.
    """
    for count in SCALE_UP_SEEDS:
        reserved = _reserved(count, run_seconds, arms)
        if not 0 < reserved <= SCALE_UP_PART * left:
            continue
        try:
            plan = divided(reserved)
        except BudgetError:
            continue
        if len(plan.confirm_seeds) >= count:
            return plan, plan.confirm_seeds[:count]
    return divided(0.0), ()


def most_reserved(run_seconds: float, arms: Sequence[Arm]) -> float:
    """Device seconds that a scale-up may keep back; 0 where there is nothing to run longer."""
    return _reserved(SCALE_UP_SEEDS[0], run_seconds, arms)


def _reserved(seeds: int, run_seconds: float, arms: Sequence[Arm]) -> float:
    contenders = sum(arm in arms for arm in SCALED_ARMS)
    return seeds * (contenders + 1) * run_seconds if contenders else 0.0

"""Which arm next, how the budget is shared, when a trial is hopeless: pure functions over what the ledger holds."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..evals.acceptance import ALPHA, fewest_seeds
from ..evals.equal_compute import SEARCH_ARMS as SEARCH_ARMS
from ..evals.trial import Arm, Trial
from ..targets.errors import BudgetError

EDITS_PART = 0.5
"""Of `edits+tuner`'s share: spent on edits (taken over from the edits arm), the rest on tuning their best."""
CONFIRM_PART = 0.55
"""At most this part of the budget goes into confirming and sealing."""
SEALED_PART = 0.4
ATTRIBUTION_PART = 0.1
"""Put aside for measuring the share of each edit, where that leaves the search its fewest trials."""
FEWEST_CONFIRM_SEEDS = 2
FEWEST_TRIALS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How one budget is spent. All in device seconds."""

    total: float
    share: float
    """What each search arm may charge while it searches."""
    confirm_seeds: tuple[int, ...]
    run_seconds: float
    """One run of the untouched code, measured."""
    trial_seconds: float
    """What a search trial is expected to cost: a run for each search seed."""


def make_plan(
    total: float, spent: float, run_seconds: float, confirm_seeds: Sequence[int], arms: Sequence[Arm], per_trial: int
) -> Plan:
    """Divides what is left of `total` after the baseline's runs (`spent`), equally among the search arms.

    The confirmation gets at most CONFIRM_PART of it, more only where fewer seeds could accept nothing.

    A sealed run predicts and scores without training again and is counted as a part of one. `edits+tuner` takes its
    edits over from `edits` without running them again, so the machine is busy for only the rest of its share.

    Raises:
        BudgetError: not enough for two trials an arm and two confirmation seeds; says how much would be.
    """
    contenders = sum(arm != "rerun" for arm in arms) + 1  # a rerun's confirmation is the baseline's
    per_seed = (1 + SEALED_PART) * contenders * run_seconds
    trials = FEWEST_TRIALS * per_trial * run_seconds * len(arms)
    least = spent + FEWEST_CONFIRM_SEEDS * per_seed + trials
    if total < least:
        raise BudgetError(
            "the budget cannot pay for a verdict",
            wanted=f"at least {math.ceil(least)} device seconds (one run of the untouched code takes {run_seconds:.1f})",
            found=f"{total:.0f}",
            fix="raise --budget, or --jobs where there are more cores",
        )
    affordable = int((total - spent) * CONFIRM_PART // per_seed)
    # Too few seeds accept nothing, however long the search: they come before it, but for its fewest trials.
    enough = min(fewest_seeds(ALPHA / max(1, contenders - 1)), int((total - spent - trials) // per_seed))
    seeds = tuple(confirm_seeds)[: max(FEWEST_CONFIRM_SEEDS, affordable, enough)]
    searching = sum(1 - EDITS_PART if arm == "edits+tuner" and "edits" in arms else 1 for arm in arms)
    free = total - spent - len(seeds) * per_seed
    aside = min(ATTRIBUTION_PART * (total - spent), max(0.0, free - trials)) if "edits" in arms else 0.0
    share = (free - aside) / searching
    return Plan(total, share, seeds, run_seconds, per_trial * run_seconds)


def affordable_seeds(plan: Plan, listed: Sequence[int], spent: float, per_seed: float) -> tuple[int, ...]:
    """The confirmation's seeds once the search is over: the plan's, and more of those listed where it left budget unused.

    Args:
        spent: device seconds of everything so far.
        per_seed: device seconds of one run of every commit that is confirmed, the untouched code among them.
    """
    left = (1 - ATTRIBUTION_PART) * plan.total - spent
    affordable = int(left // ((1 + SEALED_PART) * per_seed))
    return tuple(listed)[: max(len(plan.confirm_seeds), affordable)]


def budget_for(seeds: int, spent: float, run_seconds: float, arms: Sequence[Arm]) -> float:
    """Device seconds with which `make_plan` affords so many confirmation seeds."""
    contenders = sum(arm != "rerun" for arm in arms) + 1
    return spent + seeds * (1 + SEALED_PART) * contenders * run_seconds / CONFIRM_PART


def next_arm(
    charged: Mapping[Arm, float], in_flight: Mapping[Arm, float], ready: Collection[Arm], plan: Plan
) -> Arm | None:
    """The ready arm that has used least, so that arms meet the machine's good and bad minutes alike.

    An arm is done when its next trial is expected to go over its share.
    """
    used = {arm: charged.get(arm, 0.0) + in_flight.get(arm, 0.0) for arm in ready}
    able = [arm for arm in SEARCH_ARMS if arm in used and used[arm] + plan.trial_seconds <= plan.share]
    return min(able, key=lambda arm: used[arm], default=None)


def mean_score(trial: Trial) -> float | None:
    """Mean over the trial's runs; None when any of them has no score."""
    values = [run.score.value for run in trial.runs if run.score is not None]
    return fmean(values) if values and len(values) == len(trial.runs) else None


def best(trials: Sequence[Trial], direction: str, seeds: int) -> Trial | None:
    """The kept trial with the best mean over all `seeds` search seeds; the earlier one on a tie."""
    sign = 1.0 if direction == "maximize" else -1.0
    scored = [(sign * score, -i, t) for i, t in enumerate(trials) if (score := mean_score(t)) is not None]
    full = [entry for entry in scored if entry[2].decision == "keep" and len(entry[2].runs) >= seeds]
    return max(full, key=lambda entry: entry[:2])[2] if full else None


def hopeless(first: float, incumbent: float, sd: float, direction: str) -> bool:
    """Whether a first seed is so far below the incumbent that further seeds are not worth their compute."""
    loss = incumbent - first if direction == "maximize" else first - incumbent
    return loss > 3.0 * max(sd, 1e-12)

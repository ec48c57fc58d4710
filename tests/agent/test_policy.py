"""The budget is shared equally, hopeless trials stop early, and the best is the best mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.policy import (
    SEALED_PART,
    SEARCH_ARMS,
    Plan,
    affordable_seeds,
    best,
    hopeless,
    make_plan,
    mean_score,
    next_arm,
)
from branchlab.evals.trial import Arm, Decision, Run, Score, Trial
from branchlab.targets.errors import BudgetError

CONFIRM = (100, 101, 102, 103, 104, 105, 106, 107)


def trial(name: str, scores: list[float | None], decision: Decision = "keep", arm: Arm = "edits") -> Trial:
    runs = tuple(
        Run(seed, "search", "ok" if s is not None else "failed", "", Score("accuracy", s) if s is not None else None,
            1.0, 1.0, 1.0, "", "fake")
        for seed, s in enumerate(scores)
    )  # fmt: skip
    return Trial(name, "r", arm, "search", name, "base", {}, None, runs, (), decision, float(len(runs)))


@given(
    total=st.floats(500, 50_000), cost=st.floats(0.1, 5.0), per_trial=st.integers(1, 3), arms=st.sampled_from([1, 2, 4])
)
def test_a_plan_never_promises_more_than_the_budget(total: float, cost: float, per_trial: int, arms: int) -> None:
    chosen = SEARCH_ARMS[:arms]
    plan = make_plan(total, 3 * cost, cost, CONFIRM, chosen, per_trial)
    searching = sum(0.5 if a == "edits+tuner" and "edits" in chosen else 1.0 for a in chosen)
    confirming = 1.4 * len(plan.confirm_seeds) * (arms + 1) * cost
    assert plan.share > 0
    assert 2 <= len(plan.confirm_seeds) <= len(CONFIRM)
    assert 3 * cost + searching * plan.share + confirming <= total * (1 + 1e-9)


def test_a_budget_too_small_says_how_much_is_needed() -> None:
    with pytest.raises(BudgetError, match=r"at least \d+ device seconds .*found 60"):
        make_plan(60, 30, 10, CONFIRM, SEARCH_ARMS, 2)


def test_the_arm_that_used_least_is_next_and_a_spent_arm_never() -> None:
    plan = Plan(1000, 100, CONFIRM, 5, 10)
    used: dict[Arm, float] = {"random": 50, "tuner": 40, "edits": 95}
    assert next_arm(used, {}, set(SEARCH_ARMS), plan) == "edits+tuner"
    assert next_arm(used, {"tuner": 20}, {"random", "tuner", "edits"}, plan) == "random"
    assert next_arm(used, {}, {"edits"}, plan) is None
    assert next_arm(used, {}, set(), plan) is None


def test_the_best_is_a_kept_trial_with_all_its_seeds() -> None:
    rows = [
        trial("half", [0.99]),
        trial("crashed", [0.99, None], "crash"),
        trial("lost", [0.95, 0.95], "discard"),
        trial("first", [0.8, 0.9]),
        trial("second", [0.9, 0.8]),
    ]
    found = best(rows, "maximize", 2)
    assert found is not None
    assert found.id == "first"
    lowest = best([*rows, trial("low", [0.1, 0.1])], "minimize", 2)
    assert lowest is not None
    assert lowest.id == "low"
    assert best(rows[:3], "maximize", 2) is None


def test_a_missing_score_is_no_mean() -> None:
    assert mean_score(trial("x", [0.5, None])) is None
    assert mean_score(trial("x", [0.25, 0.75])) == 0.5


@pytest.mark.parametrize(
    ("first", "direction", "expected"),
    [(0.5, "maximize", True), (0.88, "maximize", False), (0.95, "maximize", False), (1.5, "minimize", True), (0.2, "minimize", False)],
)  # fmt: skip
def test_hopeless_is_three_spreads_below(first: float, direction: str, expected: bool) -> None:
    assert hopeless(first, 0.9, 0.01, direction) is expected


@given(spent=st.floats(0, 1000), planned=st.integers(2, 6), contenders=st.integers(1, 5), seconds=st.floats(0.1, 30.0))
def test_what_the_search_left_goes_into_more_fresh_seeds(
    spent: float, planned: int, contenders: int, seconds: float
) -> None:
    plan = Plan(1000.0, 100.0, CONFIRM[:planned], seconds, seconds)
    seeds = affordable_seeds(plan, CONFIRM, spent, contenders * seconds)
    assert seeds[:planned] == plan.confirm_seeds
    assert seeds == CONFIRM[: len(seeds)]
    cost = (1 + SEALED_PART) * contenders * seconds
    if len(seeds) > planned:
        assert spent + len(seeds) * cost <= plan.total
    if len(seeds) < len(CONFIRM):
        assert spent + (len(seeds) + 1) * cost > 0.9 * plan.total - 1e-6

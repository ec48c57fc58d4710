"""What rungs cost, and that a scale-up never takes what a verdict needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.policy import SEARCH_ARMS, Plan, make_plan
from branchlab.agent.scale_plan import SCALE_UP_PART, rung_seconds, with_scale_up
from branchlab.evals.trial import Run, Rung, Trial
from branchlab.targets.errors import BudgetError

CONFIRM = (100, 101, 102, 103, 104, 105)


@given(total=st.floats(60, 20_000), cost=st.floats(0.1, 5.0), scale=st.integers(2, 8), arms=st.sampled_from([1, 2, 4]))
def test_a_scale_up_is_planned_inside_the_budget_or_not_at_all(
    total: float, cost: float, scale: int, arms: int
) -> None:
    chosen = SEARCH_ARMS[:arms]
    kept: list[float] = []

    def divided(reserved: float) -> Plan:
        kept.append(reserved)
        return make_plan(total - reserved, 3 * cost, cost, CONFIRM, chosen, 2)

    try:
        without = divided(0.0)
    except BudgetError:
        with pytest.raises(BudgetError):
            with_scale_up(divided, total - 3 * cost, scale * cost, chosen)
        return
    plan, seeds = with_scale_up(divided, total - 3 * cost, scale * cost, chosen)
    assert len(seeds) in (0, 2, 3)
    assert set(seeds) <= set(plan.confirm_seeds)
    assert kept[-1] <= SCALE_UP_PART * (total - 3 * cost)
    if not seeds:
        assert plan == without
    contenders = 1 + sum(arm != "random" for arm in chosen)
    assert kept[-1] == pytest.approx(len(seeds) * contenders * scale * cost)


def test_without_rungs_or_anything_to_scale_the_plan_is_as_ever() -> None:
    plan = make_plan(1000, 3, 1.0, CONFIRM, SEARCH_ARMS, 2)
    assert with_scale_up(lambda kept: make_plan(1000 - kept, 3, 1.0, CONFIRM, SEARCH_ARMS, 2), 997, 0.0, SEARCH_ARMS) == (
        plan, (),
    )  # fmt: skip
    assert with_scale_up(lambda kept: plan, 997, 4.0, ("random",)) == (plan, ())


def test_each_rung_has_its_own_median_cost() -> None:
    def run(rung: Rung, seconds: float) -> Run:
        return Run(0, "search", "ok", "", None, seconds, 0.0, 0.0, "", "fake", rung=rung)

    rows = [
        Trial(str(n), "r", "baseline", "calibrate", "c", "c", {}, None, (run("full", 8.0 + n),), (), "keep", 9.0,
              ladder=(run("smoke", 1.0), run("short", 2.0 + n)))
        for n in (0, 1, 70)
    ]  # fmt: skip
    assert rung_seconds(rows) == {"smoke": 1.0, "short": 3.0, "full": 9.0}

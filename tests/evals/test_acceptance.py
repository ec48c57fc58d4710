"""False acceptance is held by construction: checked against all patterns of signs, and by arithmetic."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.evals.acceptance import ALPHA, Finalist, can_still_pass, fewest_seeds, judge, passed_at
from branchlab.evals.difference import Difference
from branchlab.evals.standings import family_of, finalist_of, standings
from branchlab.evals.trial import Run, Score

GAINS = st.lists(st.floats(-10, 10, allow_nan=False).filter(lambda x: abs(x) > 1e-6), min_size=1, max_size=9)


def finalist(*gains: float, low: float = 0.1, fault: str = "") -> Finalist:
    found = Difference(1.0, low, 2.0, len(gains), "made up", low <= 0.0)
    return Finalist(gains, lambda level: found, fault)


@given(GAINS, st.sampled_from([0.2, 0.05, 0.0125]))
@settings(max_examples=60, deadline=None)
def test_of_all_patterns_of_signs_no_more_than_the_level_pass(gains: list[float], level: float) -> None:
    n = len(gains)
    patterns = list(itertools.product((1.0, -1.0), repeat=n))
    passed = sum(
        passed_at([s * g for s, g in zip(signs, gains, strict=True)], n, level) is not None for signs in patterns
    )
    assert passed <= level * len(patterns) + 1e-9


@given(GAINS, st.floats(0.001, 1000))
@settings(max_examples=60, deadline=None)
def test_the_unit_of_the_metric_changes_nothing(gains: list[float], unit: float) -> None:
    assert passed_at(gains, len(gains), 0.05) == passed_at([unit * g for g in gains], len(gains), 0.05)


@given(GAINS)
@settings(max_examples=60, deadline=None)
def test_what_was_accepted_stays_accepted(gains: list[float]) -> None:
    looks = [passed_at(gains[:n], len(gains), 0.2) for n in range(1, len(gains) + 1)]
    first = next((look for look in looks if look is not None), None)
    assert all(look in (None, first) for look in looks)
    assert first is None or looks[first - 1 :] == [first] * (len(gains) - first + 1)


@pytest.mark.parametrize("planned", [6, 8, 10])
def test_as_many_seeds_as_arithmetic_asks_for(planned: int) -> None:
    assert passed_at([1.0] * planned, planned, 0.5**planned) == planned
    assert passed_at([1.0] * planned, planned, 0.99 * 0.5**planned) is None
    assert fewest_seeds(0.5**planned) == planned


def test_a_clear_case_ends_early_and_a_lost_one_too() -> None:
    assert passed_at([1.0] * 10, 16, 0.05) == 8
    assert not can_still_pass([-1.0, -2.0, -1.5, -1.0], 8, 0.025)
    assert can_still_pass([-0.1, 2.0], 8, 0.025)


def test_a_family_shares_one_level_and_hands_it_on() -> None:
    good = finalist(*[1.0] * 8)
    none = finalist(1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0)
    found = judge({"a": good, "b": none, "c": none, "d": none}, 8)
    assert {name for name, one in found.items() if one.better} == {"a"}
    assert found["a"].level == pytest.approx(ALPHA / 4)
    assert found["b"].level == pytest.approx(ALPHA / 3), "what was accepted hands on its level"
    crowd = judge({str(n): none for n in range(20)} | {"a": good}, 8)
    assert not crowd["a"].better, "eight seeds are too few for one of 21"


def test_seven_seeds_of_eight_can_be_undecided_and_never_better_by_default() -> None:
    found = judge({"a": finalist(1.0, 1.0, 1.0)}, 8)["a"]
    assert (found.state, found.seeds, found.planned) == ("undecided", 3, 8)
    assert judge({"a": finalist()}, 8)["a"].state == "undecided", "none of its seeds has run"


def test_an_interval_that_reaches_zero_or_a_fault_outweighs_the_seeds() -> None:
    assert judge({"a": finalist(*[1.0] * 8, low=-0.1)}, 8)["a"].state == "not better"
    faulty = judge({"a": finalist(*[1.0] * 8, fault="seed 3 has no score")}, 8)["a"]
    assert (faulty.state, faulty.reason) == ("not better", "seed 3 has no score")


def test_the_interval_is_asked_for_at_the_family_s_level() -> None:
    asked: list[float] = []

    def interval(level: float) -> Difference:
        asked.append(level)
        return Difference(1.0, 0.5, 1.5, 8, "", False)

    judge({"a": Finalist([1.0] * 8, interval), "b": finalist(-1.0)}, 8)
    assert asked[0] == pytest.approx(1 - 2 * ALPHA / 2)


def test_too_few_seeds_are_said_to_be_too_few() -> None:
    found = judge({str(n): finalist(*[1.0] * 6) for n in range(4)}, 6)
    assert all("6 seeds cannot show a gain" in one.reason for one in found.values())
    assert math.isclose(found["0"].level, ALPHA / 4)


def run(seed: int, value: float | None) -> Run:
    score = None if value is None else Score("m", value)
    return Run(seed, "confirm", "ok" if score else "no_score", "it is NaN", score, 1.0, 1.0, 1.0, "", "fake")


PLANNED = list(range(8))


def test_nan_on_one_seed_of_eight_is_never_better() -> None:
    base = [run(s, 0.5 + 0.001 * s) for s in PLANNED]
    mine = [run(s, None if s == 5 else 0.9 - 0.001 * s) for s in PLANNED]
    written = family_of({"edits": "c"}, "base", PLANNED)
    found = standings(written, {"c": mine}, base, "maximize", {})["c"]
    assert found.state == "not better"
    assert "seed 5" in found.reason
    whole = [run(s, 0.9 - 0.001 * s) for s in PLANNED]
    assert standings(written, {"c": whole}, base, "maximize", {})["c"].better
    assert not standings(written, {"c": whole}, base, "minimize", {})["c"].better


def test_a_reference_without_a_score_is_left_out() -> None:
    base = [run(s, None if s < 2 else 0.5) for s in PLANNED]
    mine = [run(s, 0.9 + 0.01 * s) for s in PLANNED]
    found = finalist_of(mine, base, "maximize", PLANNED)
    assert (len(found.gains), found.fault) == (6, "")


def test_what_passes_before_the_budget_ends_in_the_middle_is_undecided() -> None:
    planned = list(range(12))
    base, mine = [run(s, 0.5) for s in planned], [run(s, 0.9 + 0.001 * s) for s in planned[:11]]
    written = family_of({"edits": "c"}, "base", planned)
    assert standings(written, {"c": mine}, base, "maximize", {}, sequential=True)["c"].better
    found = standings(written, {"c": mine}, base, "maximize", {})["c"]
    assert (found.state, found.reason) == ("undecided", "11 of 12 planned seeds have run")
    whole = [*mine, run(11, 0.9)]
    assert standings(written, {"c": whole}, base, "maximize", {})["c"].better


def test_a_seed_on_which_the_untouched_code_fails_leaves_nothing_to_wait_for() -> None:
    base, mine = [run(s, None if s == 4 else 0.5) for s in PLANNED], [run(s, 0.9 + 0.001 * s) for s in PLANNED]
    family = {"edits": "c", "tuner": "t", "random": "r", "edits+tuner": "e"}
    runs = dict.fromkeys(family.values(), mine)
    found = standings(family_of(family, "base", PLANNED), runs, base, "maximize", {})["c"]
    assert (found.state, found.reason) == ("not better", "the untouched code has no score on seed 4")
    runs["c"] = mine[:-1]
    assert standings(family_of(family, "base", PLANNED), runs, base, "maximize", {})["c"].state == "undecided"


def test_arms_with_one_winner_are_one_finalist_and_the_untouched_code_is_none() -> None:
    written = family_of({"edits": "c", "edits+tuner": "c", "tuner": "t", "random": "base"}, "base", PLANNED)
    assert written["family"] == ["c", "t"]

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.evals.difference import crossed_half_width, difference, sign_flip_floor
from branchlab.evals.trial import Run, Score


def runs(
    values: Sequence[float | None], *, examples: Sequence[Sequence[float]] | None = None, first: int = 0
) -> list[Run]:
    found = []
    for n, value in enumerate(values):
        score = None if value is None else Score("m", value, tuple(examples[n]) if examples else None)
        status = "failed" if value is None else "ok"
        found.append(Run(first + n, "confirm", status, "", score, 1.0, 1.0, 1.0, "", "fake"))
    return found


def table(cells: np.ndarray) -> list[Run]:
    return runs([float(row.mean()) for row in cells], examples=[[float(c) for c in row] for row in cells])


VALUES = st.floats(-1e6, 1e6)
SIDES = st.integers(0, 8).flatmap(
    lambda n: st.tuples(st.lists(st.none() | VALUES, min_size=n, max_size=n), st.lists(VALUES, min_size=n, max_size=n))
)


@given(SIDES, st.sampled_from(["maximize", "minimize"]))
@settings(deadline=None)
def test_swapping_the_sides_flips_the_sign(sides: tuple[list[float | None], list[float]], direction: str) -> None:
    mine, theirs = runs(sides[0]), runs(sides[1])
    one, other = difference(mine, theirs, direction), difference(theirs, mine, direction)
    assert (one.n, one.tie, one.method) == (other.n, other.tie, other.method)
    assert one.mean == (None if other.mean is None else -other.mean)
    assert one.low == (None if other.high is None else -other.high)


@given(SIDES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_runs_does_not_matter(
    sides: tuple[list[float | None], list[float]], shuffle: random.Random
) -> None:
    mine, theirs = runs(sides[0]), runs(sides[1])
    expected = difference(mine, theirs, "maximize")
    shuffle.shuffle(mine)
    shuffle.shuffle(theirs)
    assert difference(mine, theirs, "maximize") == expected


@given(st.lists(VALUES, min_size=2, max_size=8))
@settings(deadline=None)
def test_identical_runs_are_a_tie_at_exactly_zero(values: list[float]) -> None:
    found = difference(runs(values), runs(values), "minimize")
    assert (found.mean, found.low, found.high, found.tie) == (0.0, 0.0, 0.0, True)


def test_against_a_value_worked_by_hand() -> None:
    found = difference(runs([0.5, 0.7, 0.9]), runs([0.4, 0.5, 0.6]), "maximize")
    assert found.mean == pytest.approx(0.2)
    assert found.high == pytest.approx(0.2 + 4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert found.tie  # 0.2 - 0.248
    assert found.method == "paired t over 3 seeds"


def test_a_gain_is_positive_when_the_metric_is_minimised() -> None:
    found = difference(runs([1.0, 1.1, 1.05]), runs([2.0, 2.2, 2.1]), "minimize")
    assert found.mean == pytest.approx(1.05)
    assert not found.tie


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_common_seeds_claim_nothing(n: int) -> None:
    found = difference(runs([0.9] * n), runs([0.1] * n), "maximize")
    assert (found.low, found.high, found.tie, found.n) == (None, None, True, n)


def test_a_failed_seed_is_left_out_on_both_sides_and_counted() -> None:
    found = difference(runs([0.9, None, 0.8]), runs([0.5, 0.1, 0.5]), "maximize")
    assert (found.n, found.unpaired) == (2, 2)
    assert found.mean == pytest.approx(0.35)


def test_runs_of_different_splits_are_never_paired() -> None:
    other = [Run(r.seed, "search", "ok", "", r.score, 1.0, 1.0, 1.0, "", "fake") for r in runs([0.5, 0.6])]
    assert difference(runs([0.9, 0.8]), other, "maximize").n == 0


def test_seeds_that_change_nothing_claim_nothing_without_examples() -> None:
    found = difference(runs([0.6, 0.6, 0.6]), runs([0.5, 0.5, 0.5]), "maximize")
    assert (found.low, found.tie) == (None, True)
    assert found.mean == pytest.approx(0.1)
    assert "same difference" in found.method


def test_where_seeds_change_nothing_the_examples_decide() -> None:
    wins = np.array([[1.0] * 60 + [0.0] * 40] * 3)
    loses = np.array([[1.0] * 30 + [0.0] * 70] * 3)
    found = difference(table(wins), table(loses), "maximize")
    assert found.low is not None
    # The paired standard error over 100 examples of which 30 differ, whatever the number of identical seeds.
    half = 1.984217 * math.sqrt(0.3 * 0.7 / 99)
    assert found.low == pytest.approx(0.3 - half, rel=1e-5)
    assert "examples" in found.method


def test_examples_of_unequal_length_give_no_interval() -> None:
    mine = runs([0.5, 0.7], examples=[[0.5, 0.5], [0.7, 0.7]])
    theirs = runs([0.4, 0.5], examples=[[0.4] * 3, [0.5] * 3])
    found = difference(mine, theirs, "maximize")
    assert (found.low, found.tie) == (None, True)
    assert "same number of per-example values" in found.method


def test_the_crossed_interval_is_never_narrower_than_the_seeds_alone() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        cells = rng.normal(size=(3, 20)) + rng.normal(size=(3, 1))
        alone = difference(runs(list(cells.mean(axis=1))), runs([0.0] * 3), "maximize")
        assert alone.high is not None
        assert alone.mean is not None
        assert crossed_half_width(cells) >= alone.high - alone.mean - 1e-9


def test_the_t_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    for n in (2, 6):
        draws = rng.normal(size=(2000, n))
        ties = sum(difference(runs(list(row)), runs([0.0] * n), "maximize").tie for row in draws)
        assert 0.935 <= ties / 2000 <= 0.965


@pytest.mark.parametrize(
    ("seeds", "examples", "residual"),
    [(1.0, 0.0, 0.1), (0.0, 1.0, 0.1), (0.0, 0.0, 1.0), (0.2, 1.0, 1.0), (0.05, 0.5, 1.0)],
)
@pytest.mark.parametrize("shape", [(2, 100), (6, 50), (6, 400)])
def test_the_crossed_interval_covers_both_sources(
    seeds: float, examples: float, residual: float, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(2000):
        cells = (
            rng.normal(0, seeds, (shape[0], 1))
            + rng.normal(0, examples, (1, shape[1]))
            + rng.normal(0, residual, shape)
        )
        covered += abs(cells.mean()) <= crossed_half_width(cells)
    # Never liberal beyond the simulation's own error (0.5 points); conservative where neither source is large.
    assert covered / 2000 >= 0.93


def test_seeds_alone_would_miss_the_luck_of_the_examples() -> None:
    """Why per-example values are worth having: the t interval over seeds covers far less than it says."""
    rng = np.random.default_rng(3)
    alone = both = 0
    for _ in range(500):
        cells = rng.normal(0, 0.01, (6, 1)) + rng.normal(0, 1.0, (1, 50)) + rng.normal(0, 0.1, (6, 50))
        alone += difference(runs(list(cells.mean(axis=1))), runs([0.0] * 6), "maximize").tie
        both += difference(table(cells), table(np.zeros((6, 50))), "maximize").tie
    assert alone / 500 < 0.5
    assert both / 500 > 0.92


def test_the_sign_flip_floor() -> None:
    assert [sign_flip_floor(n) for n in (0, 1, 5, 6, 8)] == [1.0, 1.0, 0.0625, 0.03125, 0.0078125]


def grouped(seed: int, values: list[float], groups: list[int]) -> Run:
    score = Score("m", sum(values) / len(values), tuple(values), groups=tuple(groups))
    return Run(seed, "confirm", "ok", "", score, 1.0, 1.0, 1.0, "", "fake")


def test_examples_of_one_group_count_as_one() -> None:
    """Forty copies of five examples know no more than five."""
    random = np.random.default_rng(3)
    few = random.normal(0.3, 1.0, size=(4, 5))
    groups = [g for g in range(5) for _ in range(40)]
    many = [[float(v) for v in np.repeat(row, 40)] for row in few]
    zeros = [grouped(s, [0.0] * 200, groups) for s in range(4)]
    clustered = difference([grouped(s, row, groups) for s, row in enumerate(many)], zeros, "maximize")
    single = [grouped(s, [0.0] * 200, list(range(200))) for s in range(4)]
    careless = difference([grouped(s, row, list(range(200))) for s, row in enumerate(many)], single, "maximize")
    mixed = difference([grouped(s, row, list(range(200))) for s, row in enumerate(many)], zeros, "maximize")
    assert (mixed.low, mixed.tie) == (None, True), "runs that disagree about groups give no interval"
    assert clustered.low is not None
    assert clustered.high is not None
    assert careless.low is not None
    assert "5 groups, cluster bootstrap" in clustered.method
    assert "200 examples, crossed" in careless.method, "groups of size one are examples"
    assert clustered.low < careless.low
    again = difference([grouped(s, row, groups) for s, row in enumerate(many)], zeros, "maximize")
    assert again == clustered, "the same runs give the same interval"


def test_one_group_alone_gives_no_interval() -> None:
    mine = [grouped(s, [0.1 * s, 0.5], [0, 0]) for s in range(3)]
    theirs = [grouped(s, [0.0, 0.0], [0, 0]) for s in range(3)]
    found = difference(mine, theirs, "maximize")
    assert (found.low, found.tie) == (None, True)
    assert "one group" in found.method


def test_the_cluster_interval_covers_what_it_says() -> None:
    """Groups share an effect of their own: about 95 of 100 intervals hold the truth, those that ignore groups far fewer."""
    random = np.random.default_rng(11)
    covered = careless = 0
    for _ in range(100):
        sizes = random.integers(1, 9, size=25)
        groups = [g for g, size in enumerate(sizes) for _ in range(size)]
        of_group = random.normal(size=25)[groups]
        table = of_group + 0.3 * random.normal(size=(6, 1)) + random.normal(size=(6, len(groups)))
        zeros = [grouped(s, [0.0] * len(groups), groups) for s in range(6)]
        found = difference([grouped(s, row.tolist(), groups) for s, row in enumerate(table)], zeros, "maximize")
        alone = [grouped(s, row.tolist(), list(range(len(groups)))) for s, row in enumerate(table)]
        single = [grouped(s, [0.0] * len(groups), list(range(len(groups)))) for s in range(6)]
        covered += found.tie
        careless += difference(alone, single, "maximize").tie
    assert covered >= 90
    assert careless < covered

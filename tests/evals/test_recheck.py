"""Honest claims hold, exaggerated ones do not, and a claim cannot make its own test easier."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.claim import Effect
from branchlab.evals.difference import Difference, difference
from branchlab.evals.recheck import recheck
from branchlab.evals.trial import Run, Score

SEEDS = tuple(range(100, 106))


def runs(values: list[float]) -> list[Run]:
    return [
        Run(seed, "confirm", "ok", "", Score("accuracy", value), 1.0, 1.0, 1.0, "", "fake")
        for seed, value in enumerate(values)
    ]


def measured(effect: float, sd: float, n: int, rng: random.Random) -> Difference:
    return difference(runs([rng.gauss(effect, sd) for _ in range(n)]), runs([0.0] * n), "maximize")


def claim_of(gain: Difference, split: str = "confirm") -> Effect:
    assert gain.mean is not None
    assert gain.low is not None
    assert gain.high is not None
    return Effect(gain.mean, gain.low, gain.high, split, tuple(range(gain.n)), 100.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("seeds", [2, 4, 6, 12])
def test_honest_claims_are_contradicted_as_rarely_as_promised(seeds: int) -> None:
    rng, tries = random.Random(1), 4000
    refused = 0
    for _ in range(tries):
        claim, again = claim_of(measured(1.0, 0.05, seeds, rng)), measured(1.0, 0.05, 6, rng)
        refused += not recheck(claim, again).holds
    assert 0.015 < refused / tries < 0.035  # 2.5 %, and four standard errors of the count


@given(st.floats(0.1, 10), st.floats(0.001, 0.02), st.integers(0, 2**32))
def test_ten_times_the_effect_never_holds(effect: float, noise: float, seed: int) -> None:
    gain = measured(effect, noise * effect, 6, random.Random(seed))
    claim = claim_of(gain)
    assert recheck(claim, gain).holds
    assert not recheck(replace(claim, mean=claim.mean * 10, high=claim.high * 10), gain).holds


@given(st.floats(0, 1e6), st.integers(0, 2**32))
def test_a_wider_interval_makes_a_claim_no_truer(widen: float, seed: int) -> None:
    gain = measured(1.0, 0.05, 6, random.Random(seed))
    claim = claim_of(gain)
    exaggerated = replace(claim, mean=claim.mean * 3, low=-widen, high=claim.high * 3 + widen)
    assert not recheck(exaggerated, gain).holds


def test_few_seeds_excuse_a_claim_at_most_twofold() -> None:
    gain = Difference(1.0, 0.9, 1.1, 6, "paired t over 6 seeds", False)
    limit = recheck(Effect(1.0, 0.9, 1.1, "search", (0, 1), 1.0), gain).limit
    assert limit == pytest.approx(1.2)


def test_a_branch_better_than_it_says_holds() -> None:
    gain = Difference(1.0, 0.9, 1.1, 6, "paired t over 6 seeds", False)
    assert recheck(Effect(0.1, 0.05, 0.2, "confirm", SEEDS, 1.0), gain).holds


@pytest.mark.parametrize(
    "gain",
    [
        Difference(0.03, -0.01, 0.07, 6, "paired t over 6 seeds", True),
        Difference(-0.03, -0.05, -0.01, 6, "paired t over 6 seeds", False),
        Difference(0.03, None, None, 6, "no interval: the same difference on all 6 seeds", True),
        Difference(None, None, None, 0, "no common seed has a score on both sides", True),
    ],
    ids=["a tie", "worse", "no interval", "no pair"],
)
def test_a_gain_that_is_not_there_upholds_no_claim(gain: Difference) -> None:
    found = recheck(Effect(0.03, 0.02, 0.04, "confirm", SEEDS, 1.0), gain)
    assert not found.holds
    assert found.reason

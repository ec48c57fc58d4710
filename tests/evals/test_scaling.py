"""What a gain at greater length is called: by the two intervals, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.difference import Difference
from branchlab.evals.scaling import Holds, ScaleUp, scale_ups
from branchlab.evals.trial import Arm, Phase, Run, Rung, Score, Trial

FULL = (0.10, 0.06, 0.14)


def gain(mean: float, low: float | None, high: float | None) -> Difference:
    tie = low is None or high is None or low <= 0.0 <= high
    return Difference(mean, low, high, 3, "by hand", tie)


@pytest.mark.parametrize(
    ("scaled", "said"),
    [
        ((0.10, 0.05, 0.15), "the gain holds"),
        ((0.30, 0.20, 0.40), "the gain holds"),
        ((0.04, 0.02, 0.06), "the gain shrinks"),
        ((0.01, -0.02, 0.04), "the gain is gone"),
        ((-0.05, -0.08, -0.02), "the gain is gone"),
        ((0.05, -0.10, 0.20), "cannot be told"),
        ((0.05, None, None), "cannot be told"),
    ],
)
def test_the_words(scaled: tuple[float, float | None, float | None], said: Holds) -> None:
    assert ScaleUp("edits", gain(*FULL), gain(*scaled), True).holds == said
    for nothing in (gain(0.02, -0.02, 0.06), gain(-0.1, -0.2, -0.05), gain(0.1, None, None)):
        assert ScaleUp("edits", nothing, gain(*scaled), False).holds == "there was no gain to hold"


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_nothing_holds_whose_interval_reaches_zero(mean: float, below: float, above: float) -> None:
    scaled = gain(mean, mean - below, mean + above)
    said = ScaleUp("edits", gain(*FULL), scaled, True).holds
    assert (said in ("the gain holds", "the gain shrinks")) == (mean - below > 0)


def trial(arm: Arm, phase: Phase, rung: Rung, scores: list[float]) -> Trial:
    runs = tuple(
        Run(seed, "confirm", "ok", "", Score("m", score), 1.0, 1.0, 1.0, "", "fake", rung=rung)
        for seed, score in enumerate(scores)
    )
    return Trial(f"{arm}{phase}", "r", arm, phase, "c", "b", {}, None, runs, (), "keep", 1.0)


def test_both_lengths_are_held_against_the_untouched_code_at_the_same_length() -> None:
    rows = [
        trial("baseline", "confirm", "full", [0.50, 0.51, 0.52]), trial("edits", "confirm", "full", [0.60, 0.62, 0.61]),
        trial("tuner", "confirm", "full", [0.55, 0.55, 0.55]),
        trial("baseline", "scale_up", "scale_up", [0.70, 0.71]), trial("edits", "scale_up", "scale_up", [0.70, 0.71]),
    ]  # fmt: skip
    (found,) = scale_ups(rows, "maximize", {"edits"})
    assert found.arm == "edits"
    assert found.full.mean == pytest.approx(0.1)
    assert found.full.n == 3
    assert found.scaled.mean == pytest.approx(0.0)
    assert found.scaled.n == 2
    assert found.holds == "the gain is gone"
    assert scale_ups(rows[:3], "maximize", {"edits"}) == ()

"""Who goes on from the short rung, and only as far as short runs were seen to rank like full ones."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.evals.rungs import (
    FEWEST_PAIRS,
    LEAST_CORRELATION,
    TAKEN_OVER,
    Evidence,
    Pair,
    decide,
    estimated_full,
    evidence_of,
    sampled,
    spearman,
    summaries,
    top_part,
)
from branchlab.evals.trial import Pruning, Run, Rung, Score, Trial

VALUES = st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=12)
ETAS = st.floats(1.5, 8.0)


def run(score: float | None, rung: Rung, seed: int = 0) -> Run:
    made = None if score is None else Score("m", score)
    return Run(seed, "search", "ok" if made else "failed", "", made, 1.0, 1.0, 1.0, "", "fake", rung=rung)


def trial(short: float | None, full: float | None, pruning: Pruning = "") -> Trial:
    ladder = () if short is None else (run(short, "smoke"), run(short, "short"))
    runs = () if full is None else (run(full, "full"),)
    return Trial(
        "t", "r", "edits", "search", "c", "b", {}, None, runs, (), "discard", 3.0, ladder=ladder, pruning=pruning
    )


def evidence(*pairs: tuple[float, float]) -> Evidence:
    return Evidence(tuple(short for short, _ in pairs), tuple(Pair(*pair) for pair in pairs))


@given(VALUES, st.randoms(use_true_random=False))
@settings(deadline=None)  # the first example imports scipy
def test_the_rank_correlation_is_scipys(xs: list[float], rng: object) -> None:
    from scipy.stats import rankdata

    ys = list(xs)
    rng.shuffle(ys)  # type: ignore[attr-defined]
    found = spearman(xs, ys)
    if len(set(xs)) == 1:
        assert found is None
        return
    import numpy as np

    assert found == pytest.approx(float(np.corrcoef(rankdata(xs), rankdata(ys))[0, 1]), abs=1e-9)


@given(VALUES)
def test_only_the_order_counts_and_a_reversed_order_has_the_other_sign(xs: list[float]) -> None:
    found = spearman(xs, [x**3 + x for x in xs])
    assert found is None or found == pytest.approx(1.0)
    other = spearman(xs, [-x for x in xs])
    assert other is None or other == pytest.approx(-1.0)
    assert spearman(xs, [1.0] * len(xs)) is None


def test_a_correlation_needs_pairs() -> None:
    assert spearman([], []) is None
    assert spearman([1.0], [2.0]) is None
    with pytest.raises(ValueError, match="no pairs"):
        spearman([1.0, 2.0], [1.0])


@given(st.floats(-1, 1), st.floats(-1, 1), ETAS)
def test_the_weaker_the_correlation_the_more_go_on(one: float, other: float, eta: float) -> None:
    weak, strong = sorted((one, other))
    assert 1 / eta - 1e-9 <= top_part(strong, eta) <= top_part(weak, eta) <= 1.0
    assert top_part(LEAST_CORRELATION, eta) == top_part(None, eta) == 1.0
    assert top_part(1.0, eta) == pytest.approx(1 / eta)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), max_size=FEWEST_PAIRS - 1), st.floats(-5, 5), ETAS)
def test_nothing_is_pruned_before_short_runs_were_held_against_full_ones(
    pairs: list[tuple[float, float]], short: float, eta: float
) -> None:
    assert decide(short, evidence(*pairs), eta, "maximize").goes_on


@given(st.lists(st.floats(-5, 5), min_size=5, max_size=20), st.floats(-5, 5), ETAS)
def test_nothing_is_pruned_where_short_runs_say_nothing_about_full_ones(
    seen: list[float], short: float, eta: float
) -> None:
    backwards = evidence(*((score, -score) for score in seen))
    assert decide(short, backwards, eta, "maximize").goes_on
    assert decide(short, evidence(*((score, 1.0) for score in seen)), eta, "minimize").goes_on


@given(st.lists(st.floats(-5, 5), min_size=5, max_size=30), st.floats(-5, 5), st.floats(-5, 5), ETAS)
def test_a_better_short_score_never_fares_worse_whatever_the_direction(
    seen: list[float], one: float, other: float, eta: float
) -> None:
    worse, better = sorted((one, other))
    known = evidence(*((score, 2 * score) for score in seen))
    assert decide(better, known, eta, "maximize").goes_on >= decide(worse, known, eta, "maximize").goes_on
    assert decide(worse, known, eta, "minimize").goes_on >= decide(better, known, eta, "minimize").goes_on
    assert decide(max(seen) + 1, known, eta, "maximize").goes_on
    assert decide(min(seen) - 1, known, eta, "minimize").goes_on


def test_a_perfect_correlation_sends_one_in_eta_on() -> None:
    known = evidence(*((float(n), float(n)) for n in range(11)))
    on = [short for short in range(-1, 12) if decide(short + 0.5, known, 3.0, "maximize").goes_on]
    assert on == [7, 8, 9, 10, 11]  # places 1 to 4 of 12, and a place above the best
    assert "place 12 of 12" in decide(-1.0, known, 3.0, "maximize").reason


def test_one_in_four_and_the_first_are_run_to_the_end_and_the_choice_stays() -> None:
    commits = [f"{n:040x}" for n in range(400)]
    chosen = [sampled(0, commit, 7) for commit in commits]
    assert 60 < sum(chosen) < 140
    assert chosen == [sampled(0, commit, 7) for commit in commits]
    assert chosen != [sampled(1, commit, 7) for commit in commits]
    assert all(sampled(0, commit, 0) for commit in commits)


def test_the_evidence_is_of_candidates_that_ran_at_both_lengths() -> None:
    trials = [trial(0.5, 0.7), trial(0.4, None, "pruned"), trial(None, 0.9), trial(0.6, 0.8, "sampled")]
    found = evidence_of(trials)
    assert found.seen == (0.5, 0.4, 0.6)
    assert found.pairs == (Pair(0.5, 0.7), Pair(0.6, 0.8))
    assert estimated_full(0.4, found.pairs) == pytest.approx(0.6)
    assert estimated_full(0.4, ()) == 0.4


def test_a_wrongly_pruned_winner_is_one_that_would_have_been_the_best() -> None:
    rows = [
        trial(0.5, 0.7), trial(0.1, 0.6, "sampled"), trial(0.2, 0.9, "sampled"), trial(0.1, 0.8, "sampled"),
        trial(0.1, None, "pruned"), replace(trial(0.1, 0.99, "sampled"), decision="discard"),
        replace(trial(None, None), runs=(run(None, "smoke"),), decision="crash"),
    ]  # fmt: skip
    rows = [row if row.decision == "crash" or i == 5 or row.pruning == "pruned" else replace(row, decision="keep")
            for i, row in enumerate(rows)]  # fmt: skip
    (found,) = summaries([*rows, replace(rows[2], id=f"t{TAKEN_OVER}")], "maximize")
    assert (found.seen, found.full, found.pruned, found.fallen) == (6, 5, 1, 1)
    assert (found.sampled, found.wrong) == (4, 1)
    assert found.upper == pytest.approx(0.751, abs=0.001)  # Clopper and Pearson's, one-sided
    assert found.pairs == 5
    (other,) = summaries(rows, "minimize")
    assert other.wrong == 1  # 0.6 is then the better one
    assert summaries([], "maximize") == ()


def test_a_rate_of_nothing_has_no_bound_and_of_everything_the_whole() -> None:
    kept = replace(trial(0.1, 0.6, "sampled"), decision="keep")
    assert summaries([trial(0.1, 0.6)], "maximize")[0].upper is None
    assert summaries([kept], "maximize")[0].upper == 1.0

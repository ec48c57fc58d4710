"""Repeats of the whole search: curves, areas, intervals, and how often one arm beats another."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.ledger import Ledger, RunRecord
from branchlab.evals.repeats import estimate, repeats, superiority, superiority_interval
from branchlab.evals.report import write_report
from branchlab.evals.report.curves import Curve, anytime
from branchlab.evals.trial import Decision, Run, Score, Trial

from .sample_run import SampleRun

SHARES = st.floats(0, 1)
FEW = st.integers(2, 12)


def trial(score: float | None, dollars: float = 0.0) -> Trial:
    run = Run(0, "search", "ok" if score is not None else "failed", "", Score("a", score) if score is not None else None,
              1800.0, 1.0, 1.0, "", "fake")  # fmt: skip
    decision: Decision = "crash" if score is None else "keep"
    return Trial("t", "r", "edits", "search", "c", "p", {}, None, (run,), (), decision, 1800.0, model_dollars=dollars)


def test_a_curve_has_three_axes_and_a_failure_moves_each() -> None:
    rows = [trial(0.6), trial(None), trial(0.7, 0.5)]
    assert anytime(rows, "edits", "maximize", 0.5, axis="trials").steps == ((0.0, 0.5), (1.0, 0.6), (3.0, 0.7))
    assert anytime(rows, "edits", "maximize", 0.5).steps == ((0.0, 0.5), (1800.0, 0.6), (5400.0, 0.7))
    dollars = anytime(rows, "edits", "maximize", 0.5, axis="dollars", hourly=2.0)
    assert dollars.steps == ((0.0, 0.5), (1.0, 0.6), (3.5, 0.7))
    assert dollars.failures == (2.0,)
    assert anytime(rows, "edits", "maximize", 0.5, axis="dollars").spent == 0.5


def test_the_area_is_of_the_steps() -> None:
    curve = Curve("edits", ((0.0, 0.5), (4.0, 0.7), (8.0, 0.9)), (), 8.0)
    assert curve.area(10.0, 0.9) == pytest.approx((4 * 0.5 + 2 * 1.0) / 10)
    assert curve.area(4.0, 0.9) == 0.0
    assert curve.area(10.0, 0.5) is None  # nothing to gain
    assert Curve("edits", ((3.0, 0.5),), (), 8.0).area(10.0, 0.9) is None  # begins nowhere
    lower = Curve("edits", ((0.0, 0.5), (5.0, 0.1)), (), 8.0)
    assert lower.area(10.0, 0.1) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.001, 1)), max_size=6), st.floats(0.5, 100))
def test_an_area_is_between_0_and_1(moves: list[tuple[float, float]], end: float) -> None:
    at, best, steps = 0.0, 0.0, [(0.0, 0.0)]
    for further, more in moves:
        at, best = at + further, best + more
        steps.append((at, best))
    area = Curve("edits", tuple(steps), (), at).area(end, best)
    assert area is None or -1e-9 <= area <= 1 + 1e-9


def test_one_search_has_no_interval() -> None:
    assert (estimate([0.5]).low, estimate([0.5]).n) == (None, 1)
    assert superiority_interval(1.0, 1, 5) is None


def test_ties_count_half() -> None:
    assert superiority("edits", (0.1, 0.2), "tuner", (0.1, 0.2)).probability == 0.5
    assert superiority("edits", (0.3, 0.4), "tuner", (0.1, 0.2)).probability == 1.0


def test_a_clean_sweep_of_too_few_searches_is_said_to_be_one() -> None:
    assert superiority("edits", (0.3, 0.4), "tuner", (0.1, 0.2)).too_few
    assert not superiority("edits", (0.3,) * 8, "tuner", (0.1,) * 8).too_few


@given(SHARES, FEW, FEW)
def test_an_interval_holds_its_estimate_and_mirrors(share: float, m: int, n: int) -> None:
    low, high = superiority_interval(share, m, n) or (2.0, -1.0)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    other = superiority_interval(1 - share, m, n)
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-6)


@pytest.mark.parametrize(("n", "shift"), [(4, 0.0), (4, 1.0), (8, 0.0), (8, 1.0)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(n: int, shift: float) -> None:
    from scipy.special import ndtr

    rng, truth, held = random.Random(3), float(ndtr(shift / 2**0.5)), 0
    for _ in range(600):
        mine, theirs = ([rng.gauss(by, 1) for _ in range(n)] for by in (shift, 0.0))
        pair = superiority("edits", mine, "tuner", theirs)
        held += (pair.low or 0.0) <= truth <= (pair.high or 0.0)
    assert held / 600 > 0.92


def family_ledger(folder: Path, members: int, *, unfinished: int = 0) -> Ledger:
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    for n in range(members):
        run = SampleRun(ledger, run_id=f"run-{n}")
        run.random.seed(n)
        run.write()
        ledger.update_settings(f"run-{n}", repeat=n, repeat_of="run-0" if n else "", device_dollars_per_hour=3.0)
    for n in range(unfinished):
        settings = {"repeat_of": "run-0", "repeat": members + n, "direction": "maximize", "metric": "accuracy"}
        ledger.start_run(RunRecord(f"cut-{n}", "digits_faulty", "b" * 40, 1.0, "interrupted", settings=settings))
    return ledger


def test_a_family_is_put_together_from_its_ledger(tmp_path: Path) -> None:
    ledger = family_ledger(tmp_path, 4, unfinished=1)
    found = repeats(ledger, "run-2")
    assert found is not None
    assert (found.runs, found.unfinished) == (("run-0", "run-1", "run-2", "run-3"), 1)
    assert {arm: len(gains) for arm, gains in found.gains.items()} == {
        "random": 4,
        "tuner": 4,
        "edits": 4,
        "edits+tuner": 4,
    }
    pair = next(p for p in found.superiority if (p.first, p.second) == ("tuner", "edits"))
    assert (pair.probability, pair.n) == (0.0, 4)
    assert pair.high is not None
    assert pair.high < 0.5
    for axis in ("trials", "seconds", "dollars"):
        whole = found.best_at(axis, "edits", found.end(axis))
        assert whole is not None
        assert (whole.n, whole.low is not None) == (4, True)
    report = write_report(ledger, "run-2", tmp_path / "report")
    for text in (report.html.read_text(), report.markdown.read_text()):
        assert "Repeats of the whole search" in text
        assert "4 whole searches" in text
        assert ("Mean best score so far over whole searches" in text) == text.startswith("<!doctype")
        assert "tuner beats edits" in text.replace("\\", "")


def test_a_run_without_repeats_has_no_such_section(tmp_path: Path) -> None:
    ledger = family_ledger(tmp_path, 1)
    assert repeats(ledger, "run-0") is None
    assert "Repeats of" not in write_report(ledger, "run-0", tmp_path / "report").html.read_text()

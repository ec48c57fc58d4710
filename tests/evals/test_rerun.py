"""The `rerun` arm: what luck alone gains is shown beside the others' search scores, and never claimed as a gain."""

from pathlib import Path

import pytest

from branchlab.evals.compare import compare
from branchlab.evals.ledger import Ledger

from .test_compare import BASE, WOBBLE, Story


def told(folder: Path, levels: tuple[float, ...], direction: str = "maximize"):  # type: ignore[no-untyped-def]
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db")
    story = Story(ledger, direction=direction, arms=["baseline", "rerun", "edits"])
    story.trial("baseline", "calibrate", BASE, {0: 0.5, 1: 0.5})
    sign = 1.0 if direction == "maximize" else -1.0
    for n, level in enumerate(levels):
        decision = "keep" if sign * level > sign * 0.5 else "discard"
        story.trial("rerun", "search", BASE, {2_000_000 + 2 * n: level, 2_000_001 + 2 * n: level}, decision=decision)
    story.search("edits", "e", 0.6)
    for arm, commit in (("baseline", BASE), ("rerun", BASE), ("edits", "e")):
        story.confirm(arm, commit, 0.5 if commit == BASE else 0.6, wobble=WOBBLE if commit == BASE else WOBBLE[::-1])  # type: ignore[arg-type]
    return compare(ledger, "r")


@pytest.mark.parametrize(("direction", "lucky"), [("maximize", 0.53), ("minimize", 0.47)])
def test_the_luckiest_rerun_is_shown_and_gains_nothing(tmp_path: Path, direction: str, lucky: float) -> None:
    comparison = told(tmp_path, (0.49, lucky, 0.51), direction)
    rerun, baseline = comparison.arm("rerun"), comparison.arm("baseline")
    assert rerun.search_score == pytest.approx(lucky)
    assert (rerun.gain, rerun.confirm_score) == (None, baseline.confirm_score)
    assert baseline.search_score == pytest.approx(0.5)  # reruns are not mixed into it
    assert any("3 reruns of the untouched code looked 0.03 better" in caveat for caveat in comparison.caveats)
    assert not any("nothing better than the untouched code" in caveat for caveat in comparison.caveats)


def test_reruns_that_were_never_lucky_are_said_to_be_none(tmp_path: Path) -> None:
    comparison = told(tmp_path, (0.49, 0.48))
    assert comparison.arm("rerun").search_score == pytest.approx(0.5)
    assert any("None of 2 reruns" in caveat for caveat in comparison.caveats)


def test_a_rerun_alone_is_no_signal(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    story = Story(ledger, arms=["baseline", "rerun", "edits"])
    story.confirm("baseline", BASE, 0.5)
    story.confirm("rerun", BASE, 0.5)
    story.trial("edits", "confirm", "e", {100: None})
    assert compare(ledger, "r").no_signal

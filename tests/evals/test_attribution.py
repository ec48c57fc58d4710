"""Shares of edits: contrasts of measured runs, and nothing said of what did not run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.attribution import Runs, attribution, subsets
from branchlab.evals.trial import Run, Score

SEEDS = [100, 101, 102, 103]
LUCK = {100: 0.01, 101: -0.02, 102: 0.015, 103: -0.005}


def run(seed: int, value: float | None) -> Run:
    score = None if value is None else Score("m", value)
    return Run(seed, "confirm", "ok" if score else "failed", "boom", score, 1.0, 1.0, 1.0, "", "fake")


def measured(
    effects: list[float], *, interaction: float = 0.0, kinds: list[str] | None = None
) -> tuple[dict[str, Any], Runs]:
    """Runs of every subset: luck of the seed, the effects of its edits, the interaction where all are there."""
    kinds = kinds or ["bug_fix"] * len(effects)
    every = frozenset(range(len(effects)))
    parts = [frozenset[int](), *subsets(kinds), every]

    def value(part: frozenset[int], seed: int) -> float:
        spread = 1 + 0.1 * len(part)
        return 0.5 + spread * LUCK[seed] + sum(effects[n] for n in part) + (interaction if part == every else 0.0)

    runs = {part: [run(seed, value(part, seed)) for seed in SEEDS] for part in parts}
    units = [{"title": f"edit {n}", "kind": kind} for n, kind in enumerate(kinds)]
    variants = [{"units": sorted(part), "reason": ""} for part in subsets(kinds)]
    return {"units": units, "variants": variants, "seeds": SEEDS, "reason": ""}, runs


def test_each_edit_gets_what_it_does_and_the_merge_what_is_left() -> None:
    found = attribution(*measured([0.1, 0.2, 0.05], interaction=-0.08), "maximize")
    assert found is not None
    assert [share.alone.mean for share in found.edits if share.alone] == pytest.approx([0.1, 0.2, 0.05])
    assert [share.last.mean for share in found.edits if share.last] == pytest.approx([0.02, 0.12, -0.03])
    assert found.interaction is not None
    assert found.interaction.mean == pytest.approx(-0.08)
    assert found.whole.mean == pytest.approx(0.27)
    assert found.seeds == len(SEEDS)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=5), st.floats(-1, 1))
def test_alone_and_interaction_add_up_to_the_whole(effects: list[float], interaction: float) -> None:
    found = attribution(*measured(effects, interaction=interaction), "minimize")
    assert found is not None
    assert found.interaction is not None
    total = sum(s.alone.mean or 0.0 for s in found.edits if s.alone) + (found.interaction.mean or 0.0)
    assert total == pytest.approx(found.whole.mean, abs=1e-9)
    assert found.whole.mean == pytest.approx(-sum(effects) - interaction, abs=1e-9)


def test_kinds_are_taken_together() -> None:
    found = attribution(*measured([0.1, 0.2, 0.05], kinds=["bug_fix", "prompt", "bug_fix"]), "maximize")
    assert found is not None
    assert [(share.kind, share.edits) for share in found.kinds] == [("bug_fix", (0, 2)), ("prompt", (1,))]
    assert found.kinds[0].alone is not None
    assert found.kinds[0].alone.mean == pytest.approx(0.15)


def test_what_cannot_be_applied_or_did_not_run_has_no_share_and_says_why() -> None:
    written, runs = measured([0.1, 0.2])
    left = {part: found for part, found in runs.items() if part != frozenset({1})}
    written["variants"] = [
        {"units": [1], "reason": "cannot be applied without the others"},
        {"units": [0], "reason": ""},
    ]
    found = attribution(written, left, "maximize")
    assert found is not None
    assert (found.edits[1].alone, found.edits[0].last, found.interaction) == (None, None, None)
    assert "cannot be applied" in found.edits[1].reason
    failed = attribution(*_with(measured([0.1, 0.2]), frozenset({1}), [run(s, None) for s in SEEDS]), "maximize")
    assert failed is not None
    assert "failed: boom" in failed.edits[1].reason
    once = [run(s, None if s == SEEDS[0] else 0.9) for s in SEEDS]
    partly = attribution(*_with(measured([0.1, 0.2]), frozenset({1}), once), "maximize")
    assert partly is not None
    assert partly.edits[1].alone is None
    assert "failed: boom" in partly.edits[1].reason


def _with(told: tuple[dict[str, Any], Runs], part: frozenset[int], runs: list[Run]) -> tuple[dict[str, Any], Runs]:
    return told[0], {**told[1], part: runs}


def test_one_edit_needs_no_runs_of_its_own() -> None:
    assert subsets(["bug_fix"]) == []
    assert len(subsets(["bug_fix", "bug_fix"])) == 2
    found = attribution(*measured([0.1]), "maximize")
    assert found is not None
    assert found.edits[0].alone == found.edits[0].last == found.whole
    assert found.interaction is None


def test_nothing_written_down_is_no_attribution() -> None:
    assert attribution({}, {}, "maximize") is None
    assert attribution({"units": [], "reason": "no edit was accepted"}, {}, "maximize") is None

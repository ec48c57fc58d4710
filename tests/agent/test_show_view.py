"""`branchlab show` of a made-up run."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from branchlab.agent.show_view import to_json, trial_detail, trials_table
from branchlab.evals.ledger import Ledger
from branchlab.targets.errors import LedgerError, UsageError

from ..evals.sample_run import RUN_ID, sample_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return sample_ledger(tmp_path)


def shown(what: RenderableType, width: int = 140) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(what)
    return console.export_text()


def test_the_table_has_a_row_for_every_trial(ledger: Ledger) -> None:
    text = shown(trials_table(ledger, RUN_ID))
    trials = ledger.trials(RUN_ID)
    assert all(trial.id in text for trial in trials)
    crash = next(line for line in text.splitlines() if "Replace block 0" in line)
    assert "no score" in crash
    assert "crash" in crash


def test_one_trial_shows_its_diff_verdicts_runs_and_log(ledger: Ledger) -> None:
    kept, crashed = (
        next(t for t in ledger.trials(RUN_ID, arm="edits") if t.decision == decision) for decision in ("keep", "crash")
    )
    text = shown(trial_detail(ledger, RUN_ID, kept.id[:8]))
    for part in (kept.commit, "+        optimizer.zero_grad()", "passed: better:", "branchlab/", "epoch 2 loss 1.911"):
        assert part in text
    text = shown(trial_detail(ledger, RUN_ID, crashed.id))
    assert "failed: train: exit code 1" in text
    assert "mat1 and mat2 shapes cannot be multiplied" in text


@pytest.mark.parametrize("prefix", ["", "zzz"])
def test_a_prefix_has_to_fit_exactly_one_trial(ledger: Ledger, prefix: str) -> None:
    with pytest.raises(UsageError, match="no single trial"):
        trial_detail(ledger, RUN_ID, prefix)


def test_an_ambiguous_prefix_names_what_it_fits(ledger: Ledger) -> None:
    ids = [trial.id for trial in ledger.trials(RUN_ID)]
    prefix = next(i[:1] for i in ids if sum(j.startswith(i[:1]) for j in ids) > 1)
    with pytest.raises(UsageError, match=next(i for i in ids if i.startswith(prefix))):
        trial_detail(ledger, RUN_ID, prefix)


def test_hostile_text_is_neither_obeyed_nor_hidden(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path, hostile=True)
    texts = [shown(trials_table(ledger, RUN_ID))]
    texts += [shown(trial_detail(ledger, RUN_ID, trial.id)) for trial in ledger.trials(RUN_ID, arm="edits")]
    assert any("<script>" in text for text in texts)
    assert not any(set(text) & {"\x1b", "\x07", "\x00", "\u202e", "\u200b"} for text in texts)


def test_json_holds_every_fact_under_stable_keys(ledger: Ledger) -> None:
    facts = json.loads(json.dumps(to_json(ledger, RUN_ID), allow_nan=False))
    assert list(facts) == ["version", "run", "comparison", "kinds", "trials", "proposals", "model_cost"]
    assert len(facts["trials"]) == len(ledger.trials(RUN_ID))
    assert len(facts["proposals"]) == len(ledger.proposals(RUN_ID))
    edits = next(arm for arm in facts["comparison"]["arms"] if arm["arm"] == "edits")
    assert edits["gain"]["mean"] > 0
    assert facts["comparison"]["equal_compute"]["equal"] in (True, False)
    crash = next(trial for trial in facts["trials"] if trial["decision"] == "crash")
    assert crash["score"] is None
    assert crash["runs"][0]["score"] is None
    assert facts["model_cost"]["dollars"] == pytest.approx(0.2134)


def test_no_such_run(ledger: Ledger) -> None:
    for ask in (trials_table, to_json):
        with pytest.raises(LedgerError, match="no run"):
            ask(ledger, "other")

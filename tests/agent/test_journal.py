"""Every device second is in one row: of the trial it made, or of what cut that off."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.agent.journal import Journal
from branchlab.evals.ledger import Ledger
from branchlab.evals.trial import Run, Rung, Score, Trial


def trial(name: str, seconds: float) -> Trial:
    return Trial(name, "r", "edits", "search", "c" * 40, "b" * 40, {}, None, (), (), "keep", seconds)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


def test_a_trial_that_ends_takes_the_place_of_what_was_metered(ledger: Ledger) -> None:
    journal = Journal(ledger, "r")
    journal.begin("a", "edits")
    journal.meter()
    journal.meter()
    assert ledger.lost_seconds("r")["edits"] > 0
    journal.add(trial("a", 7.0))
    journal.meter()
    assert (ledger.device_seconds("r"), ledger.lost_seconds("r")) == ({"edits": 7.0}, {})


def test_what_a_killed_process_had_metered_stays_charged_and_the_trial_made_again_is_charged_too(
    ledger: Ledger,
) -> None:
    killed = Journal(ledger, "r")
    killed.begin("a", "edits")
    killed.begin("b", "tuner")
    killed.meter()
    metered = ledger.lost_seconds("r")
    ledger.settle("another run")
    ledger.settle("r")
    ledger.settle("r")
    journal = Journal(ledger, "r")
    journal.begin("a", "edits")
    journal.meter()
    journal.add(trial("a", 7.0))
    assert ledger.lost_seconds("r") == metered
    assert ledger.device_seconds("r")["edits"] == 7.0 + metered["edits"]


def test_a_trial_that_is_cut_off_is_charged_once(ledger: Ledger) -> None:
    journal = Journal(ledger, "r")
    journal.cut_off("never begun")
    journal.begin("a", "edits")
    journal.meter()
    journal.cut_off("a")
    lost = ledger.lost_seconds("r")
    assert lost["edits"] > 0
    journal.cut_off("a")
    journal.meter()
    ledger.settle("r")
    assert ledger.lost_seconds("r") == lost


def test_a_run_that_the_sandbox_failed_is_not_charged_again_with_its_trial(ledger: Ledger) -> None:
    journal = Journal(ledger, "r")
    journal.begin("a", "edits")
    journal.charge_failed("a", 1000.0)  # more than has passed: what is left to charge is nothing
    journal.cut_off("a")
    assert ledger.lost_seconds("r") == {"edits": 1000.0}


def test_no_second_that_was_lost_is_of_an_arms_share(ledger: Ledger) -> None:
    journal = Journal(ledger, "r")
    journal.begin("a", "edits")
    journal.cut_off("a")
    journal.add(trial("b", 7.0))
    assert journal.charged("search") == {"edits": 7.0}


def test_runs_of_different_lengths_are_never_taken_for_each_other(ledger: Ledger) -> None:
    def run(rung: Rung, value: float) -> Run:
        return Run(0, "confirm", "ok", "", Score("m", value), 1.0, 1.0, 1.0, "", "fake", rung=rung)

    journal = Journal(ledger, "r")
    longer = Trial(
        "a", "r", "edits", "scale_up", "c" * 40, "b" * 40, {}, None, (run("scale_up", 0.9),), (), "keep", 1.0
    )
    journal.add(longer)
    assert journal.known("c" * 40, 0, "confirm") is None
    assert journal.runs("c" * 40, [0], "confirm") == ()
    full = replace(longer, id="b", phase="confirm", runs=(run("full", 0.5),), ladder=(run("short", 0.3),))
    journal.add(full)
    for journal_ in (journal, Journal(ledger, "r")):  # one that was there, and one made again from the ledger
        found = {r: journal_.known("c" * 40, 0, "confirm", r) for r in ("short", "full", "scale_up")}
        assert [entry[1].score.value for entry in found.values() if entry and entry[1].score] == [0.3, 0.5, 0.9]
        assert journal_.known("c" * 40, 0, "confirm", "smoke") is None

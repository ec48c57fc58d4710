"""Every device second is in one row: of the trial it made, or of what cut that off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from branchlab.agent.journal import Journal
from branchlab.evals.ledger import Ledger
from branchlab.evals.trial import Trial


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

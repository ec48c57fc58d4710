"""What a tuner hears of candidates that fell on the way up: of a pruned one an estimate, of a failed one nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from branchlab.agent.journal import Journal
from branchlab.agent.lab import Lab, Options
from branchlab.evals.ledger import Ledger
from branchlab.evals.trial import ProposalRecord, Pruning, Run, Rung, Score, Trial
from branchlab.targets.target import read_target
from branchlab.targets.tunable import Tunable

from ..rungs_project import make

RATE = Tunable("train.py::RATE", "train.py", 1, "float", 0.5, "by hand", low=0.0, high=1.0)


def run(score: float | None, rung: Rung) -> Run:
    made = None if score is None else Score("accuracy", score)
    return Run(0, "search", "ok" if made else "failed", "", made, 1.0, 1.0, 1.0, "", "fake", rung=rung)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    target: Any = read_target(make(tmp_path / "project"))
    nothing: Any = None
    made = Lab("r", target, Options(60), nothing, Journal(ledger, "r"), nothing, nothing, nothing, nothing, tmp_path)
    made._spaces["base"] = {RATE.name: RATE}
    yield made
    ledger.close()


def add(lab: Lab, rate: float, ladder: tuple[Run, ...], runs: tuple[Run, ...], pruning: Pruning = "") -> None:
    name = f"p{rate}"
    edit = {"operator": "set_literal", "file": "train.py", "symbol": "RATE", "arguments": {"value": repr(rate)}}
    lab.journal.propose(ProposalRecord(
        name, "r", "tuner", "hyperparameter", "hyperparameter", "t", "", (), (edit,), "tpe", "base", name, "", "branched",
    ))  # fmt: skip
    decision: Any = "crash" if runs and runs[-1].score is None else "discard"
    lab.journal.add(Trial(name, "r", "tuner", "search", name, "base", {RATE.name: rate}, name, runs, (), decision, 1.0,
                          ladder=ladder, pruning=pruning))  # fmt: skip


def told(lab: Lab) -> list[tuple[float, float | None]]:
    tuner: Any = lab.tuner("tuner", "base")
    return [(params[RATE.name], value) for params, value in tuner._told]


def test_a_pruned_candidate_is_told_as_its_short_score_moved_by_the_median_step(lab: Lab) -> None:
    for rate, short, full in ((0.1, 0.5, 0.7), (0.2, 0.4, 0.5), (0.3, 0.6, 0.9)):
        add(lab, rate, (run(short, "short"),), (run(full, "full"),))
    add(lab, 0.4, (run(0.3, "short"),), (), "pruned")
    add(lab, 0.6, (), (run(None, "smoke"),))
    add(lab, 0.7, (run(0.8, "short"),), (run(0.8, "full"),))  # what came later changes nothing of what was told
    heard = told(lab)
    assert [rate for rate, _ in heard] == [0.1, 0.2, 0.3, 0.4, 0.6, 0.7]
    assert [value for _, value in heard] == [0.7, 0.5, 0.9, pytest.approx(0.5), None, 0.8]


def test_a_tuner_made_again_hears_the_same(lab: Lab) -> None:
    add(lab, 0.1, (run(0.5, "short"),), (run(0.7, "full"),))
    lab.tuner("tuner", "base")
    add(lab, 0.4, (run(0.3, "short"),), (), "pruned")
    pruned = lab.journal.trial("p0.4")
    assert pruned is not None
    lab.tell(pruned, "base")
    alive = told(lab)
    lab._tuners.clear()
    lab._told.clear()
    assert told(lab) == alive == [(0.1, 0.7), (0.4, pytest.approx(0.5))]

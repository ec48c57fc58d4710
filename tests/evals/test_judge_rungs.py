"""How long a candidate trains is the judge's to say, at every rung, and no model of one length serves at another."""

import json
from pathlib import Path

import pytest

from branchlab.evals.trial import Rung
from branchlab.sandbox.fake import FakeRunner, ok

from .toy_target import COMMIT, STEPS, TRAIN, Toy

RUNGS = STEPS.replace('"{seed}"]', '"{seed}", "{length}"]') + "[rungs]\nsmoke = 1\nshort = 3\nfull = 9\nscale_up = 4\n"
LENGTHS: dict[Rung, str] = {"smoke": "1", "short": "3", "full": "9", "scale_up": "36"}
STRONGER = TRAIN.replace("sum(y for _, y in rows) /", "(int(sys.argv[4]) > 9) * sum(y for _, y in rows) /")
"""Learns nothing unless it trains longer than in full."""


@pytest.mark.parametrize("rung", LENGTHS)
def test_the_judge_fills_the_length_in_and_a_candidate_cannot(tmp_path: Path, rung: Rung) -> None:
    runner = FakeRunner(lambda request: ok())
    toy = Toy(tmp_path, steps=RUNGS, runner=runner)
    # A candidate's own target.toml, or a changed default, is nobody's order.
    (toy.tree / "target.toml").write_text("[rungs]\nshort = 1000\nfull = 2000\n")
    found = toy.judge.at(rung).run(toy.tree, COMMIT, 5, "search")
    train, *rest = runner.requests
    assert train.argv[-2:] == ("5", LENGTHS[rung])
    assert not any("{length}" in word for request in rest for word in request.argv)
    assert found.rung == rung
    assert toy.judge.run(toy.tree, COMMIT, 5, "search").rung == "full"


def test_only_the_scale_up_has_more_time(tmp_path: Path) -> None:
    runner = FakeRunner(lambda request: ok())
    toy = Toy(tmp_path, steps=RUNGS, runner=runner)
    for rung in LENGTHS:
        toy.judge.at(rung).run(toy.tree, COMMIT, 0, "search")
    assert {request.limits.wall_seconds for request in runner.requests[:9]} == {120.0}
    assert {request.limits.wall_seconds for request in runner.requests[9:]} == {480.0}


def test_a_kept_model_serves_at_its_own_length_alone(tmp_path: Path) -> None:
    toy = Toy(tmp_path, steps=RUNGS)
    for tree in (toy.tree, toy.pristine):
        (tree / "train.py").write_text(STRONGER)
    judge = toy.new_judge()
    full = judge.run(toy.tree, COMMIT, 100, "confirm", keep_model=True)
    longer = judge.at("scale_up").run(toy.tree, COMMIT, 100, "confirm", keep_model=True)
    sealed = judge.run(toy.tree, COMMIT, 100, "sealed")
    assert (full.score is not None, longer.score is not None, sealed.score is not None) == (True, True, True)
    assert full.score.value == 0.0  # type: ignore[union-attr]
    assert longer.score.value == 7 / 8  # type: ignore[union-attr]
    assert sealed.score.value == 0.0  # type: ignore[union-attr]  # of the model that was confirmed
    assert sealed.model_sha256 == full.model_sha256 != longer.model_sha256
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_without_rungs_a_length_stays_what_it_is(tmp_path: Path) -> None:
    runner = FakeRunner(lambda request: ok())
    toy = Toy(tmp_path, runner=runner)
    toy.judge.run(toy.tree, COMMIT, 0, "search")
    assert json.dumps(runner.requests[0].argv).count("length") == 0

"""A run asks its probes once, pays for them out of the edits arm, and tries nothing that they refuted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from branchlab.agent.events import Event
from branchlab.agent.lab import Lab, Options
from branchlab.agent.nodes.ideas import proposals_for
from branchlab.agent.nodes.probing import probe, refuted
from branchlab.agent.nodes.state import IDLE
from branchlab.agent.policy import Plan
from branchlab.agent.session import _new_lab
from branchlab.targets.errors import SandboxError

from ...project import MANIFEST, make_project
from .test_running import MODEL, TRAIN

pytestmark = pytest.mark.train
PLAN = Plan(total=3000.0, share=600.0, confirm_seeds=(1, 2), run_seconds=60.0, trial_seconds=60.0)


class Heard:
    """A view that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def handle(self, event: Event) -> None:
        self.lines.append(str(event))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def lab(tmp_path: Path, heard: Heard) -> Iterator[Lab]:
    """Of a project whose softmax stands before its loss for real, and whose gradients are cleared by other means."""
    files = {"train.py": TRAIN, "model.py": MODEL.replace("        {made}\n", "")}
    folder = make_project(tmp_path / "project", files=files, manifest=MANIFEST.replace("= 512", "= 2048"))
    view: Any = heard
    try:
        made = _new_lab(str(folder), Options(3000.0, sandbox="bubblewrap"), (tmp_path / "home", view))
    except SandboxError as error:
        pytest.skip(str(error))
    made.plan = PLAN
    yield made
    made.close()
    made.journal.ledger.close()


def test_probes_are_asked_once_and_what_they_refuted_is_not_tried(lab: Lab, heard: Heard) -> None:
    assert probe(lab, IDLE) == IDLE
    probes = lab.journal.ledger.run(lab.run_id).settings["probes"]
    verdicts = {one["detector"]: one["verdict"] for one in probes["verdicts"]}
    assert verdicts == {"softmax_before_loss": "confirmed", "missing_zero_grad": "refuted"}, probes
    assert any("not tried" in line for line in heard.lines)
    assert len(refuted(lab)) == 1
    fixes = [p.title for p in proposals_for(lab, lab.checkout.base) if p.kind == "bug_fix"]
    assert fixes == ["Give CrossEntropyLoss raw scores, not the output of softmax"]
    # Paid for by the edits arm, once.
    assert lab.journal.charged("search") == {"edits": probes["seconds"]}
    assert lab.journal.charged("confirm") == {}
    assert lab.journal.ledger.device_seconds(lab.run_id) == {"edits": probes["seconds"]}
    assert lab.journal.ledger.lost_seconds(lab.run_id) == {}
    assert 0.0 < probes["seconds"] <= 0.1 * PLAN.share
    lab.plan = None  # asked again it would need one
    probe(lab, IDLE)
    assert lab.journal.ledger.run(lab.run_id).settings["probes"] == probes


def test_nothing_is_asked_where_trying_is_as_cheap(lab: Lab, heard: Heard) -> None:
    for plan in (replace(PLAN, share=40.0), replace(PLAN, trial_seconds=1.0)):
        lab.plan = plan
        probe(lab, IDLE)
    assert "probes" not in lab.journal.ledger.run(lab.run_id).settings
    assert sum("no probes" in line for line in heard.lines) == 2
    assert len([p for p in proposals_for(lab, lab.checkout.base) if p.kind == "bug_fix"]) == 3

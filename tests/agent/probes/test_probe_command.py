"""`branchlab probe`: what it prints of each finding; text of a repository steers no terminal."""

import json
from pathlib import Path

from click.testing import CliRunner

from branchlab.agent.cli import main
from branchlab.agent.probes.base import Probed
from branchlab.agent.probes.running import Outcome
from branchlab.agent.probing import as_data, as_text
from branchlab.agent.proposers.defects import Finding

from ...evals.toy_target import sandboxed
from ...project import make_project

FINDING = Finding("unused_layer", "a\x1b[2J.py", 3, "Net.__init__", "Call spare\nnow", "", ())


def test_each_finding_has_its_verdict_its_reason_and_its_cost() -> None:
    outcome = Outcome(
        [Probed(FINDING, "refuted", "it is used", "gradients", 0.25), Probed(FINDING, "unprobed", "no")], 3.0, 1
    )
    lines = as_text(outcome, ["n_items is taken to be 16", "n_items is taken to be 16"]).splitlines()
    assert lines[0].startswith("refuted")
    assert "[gradients, 0.2 s]" in lines[0]
    assert lines[3].startswith("unprobed")
    assert lines[-2:] == ["taken for granted: n_items is taken to be 16", "3.0 device seconds in 1 sandboxes"]
    assert all(line.isprintable() for line in lines)
    assert as_data(outcome.probed[0]) == {
        "file": FINDING.file, "line": 3, "detector": "unused_layer", "title": FINDING.title, "verdict": "refuted",
        "reason": "it is used", "probe": "gradients", "probe_seconds": 0.25,
    }  # fmt: skip


def test_a_target_without_findings_costs_nothing(tmp_path: Path) -> None:
    sandboxed()  # or a skip
    folder = make_project(tmp_path / "project")
    words = ["--home", str(tmp_path / "home"), "--json", "probe", str(folder), "--sandbox", "bubblewrap"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"assumed": [], "seconds": 0.0, "findings": []}
    assert not (tmp_path / "home" / "probes").exists()

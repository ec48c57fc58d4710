"""Guards in real runs: a better edit that breaks one becomes no branch, and the report says why."""

import json
import os
import subprocess
import sys
from pathlib import Path

from .project import FIX, MANIFEST, SCORE, git, make_project, write_answers

CHECK = "import sys, model\nsys.exit(0 if model.score([1.0] * len(model.features([2.0, 3.0])), [2.0, 3.0]) < LIMIT else 4)\n"
RECALL = SCORE.replace('"per_example"', '"recall": 1.0 - sum(right) / len(right), "per_example"')
COMMAND = "[[guards]]\nname = 'tests'\ncommand = ['python', 'check.py']\n"


def branchlab(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "branchlab", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False, env=os.environ)


def project(folder: Path, guards: str, *, limit: float, score: str = SCORE) -> Path:
    files = {"check.py": CHECK.replace("LIMIT", str(limit)), "score.py": score}
    return make_project(folder / "project", files=files, manifest=f"{MANIFEST}{guards}")


def search(folder: Path) -> dict:  # type: ignore[type-arg]
    model = write_answers(folder / "answers.json", {"proposals": [FIX]})
    result = branchlab(folder, "run", "target.toml", "--budget", "20s", "--jobs", "2", "--model", model)
    assert result.returncode == 0, result.stderr
    return json.loads(branchlab(folder, "--json", "show", "last").stdout)  # type: ignore[no-any-return]


def test_a_command_that_fails_keeps_a_better_edit_out_and_its_time_is_charged(tmp_path: Path) -> None:
    data = search(folder := project(tmp_path, COMMAND, limit=4.5))  # the fix adds the second coordinate: 6.0
    fix = next(p["id"] for p in data["proposals"] if p["title"] == "Use both coordinates")
    trial = next(t for t in data["trials"] if t["proposal_id"] == fix)
    assert trial["decision"] == "discard"
    assert [v["passed"] for v in trial["verdicts"] if v["gate"] == "guard: tests"] == [False]
    assert trial["device_seconds"] > sum(run["device_seconds"] for run in trial["runs"])
    assert not git(folder / "repo", "branch", "--list", "branchlab/*edit*", "branchlab/*use-both*")


def test_what_holds_is_accepted(tmp_path: Path) -> None:
    guards = f"{COMMAND}[[guards]]\nname = 'size'\nmeasure = 'model_bytes'\nrelative = 1.0\n"
    data = search(folder := project(tmp_path, guards, limit=7.0))
    edits = next(arm for arm in data["comparison"]["arms"] if arm["arm"] == "edits")
    assert {v["gate"]: v["passed"] for v in edits["guards"]} == {"guard: tests": True, "guard: size": True}
    assert git(folder / "repo", "branch", "--list", "branchlab/*use-both*")
    assert "not accepted" not in data["comparison"]["verdict"]


def test_code_that_breaks_its_own_guard_is_the_users_mistake_and_costs_no_search(tmp_path: Path) -> None:
    folder = project(tmp_path, COMMAND, limit=0.0)
    result = branchlab(folder, "run", "target.toml", "--budget", "20s")
    assert result.returncode == 2
    assert "the untouched code breaks guard tests" in result.stderr
    manifest = folder / "target.toml"
    manifest.write_text(f"{MANIFEST}[[guards]]\nname='r'\nmetric='nothing'\ndirection='maximize'\ntolerance=0\n")
    result = branchlab(folder, "run", "target.toml", "--budget", "20s")
    assert result.returncode == 2
    assert "no value of nothing" in result.stderr


def test_a_reviewed_branch_that_breaks_a_guard_is_not_accepted(tmp_path: Path) -> None:
    guards = f"{COMMAND}[[guards]]\nname = 'recall'\nmetric = 'recall'\ndirection = 'maximize'\ntolerance = 0.01\n"
    folder = project(tmp_path, guards, limit=7.0, score=RECALL)
    repo = folder / "repo"
    git(repo, "checkout", "-q", "-b", "better", "main")
    (repo / "model.py").write_text((repo / "model.py").read_text().replace("[point[0], 1.0]", "[*point, 1.0]"))
    git(repo, "commit", "-qam", "better")
    git(repo, "checkout", "-q", "main")
    result = branchlab(folder, "review", "target.toml", "better", "--jobs", "2")
    assert result.returncode == 1
    assert "better is not accepted: guard: recall" in result.stderr
    report = next((folder / ".branchlab" / "runs").glob("*/report.md")).read_text()
    assert "broken: not accepted" in report
    assert "for breaking what must not get worse" in report
    assert "guard tests" not in report

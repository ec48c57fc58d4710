"""The readable tour: a project, one command, branches, a ledger, a report. Real git, real sandbox, real training."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .project import FIX, SNEAKY, git, make_project, write_answers

HOME = ".branchlab"


def branchlab(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "branchlab", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, **environment},
    )


def shown(folder: Path, run: str = "last") -> dict:  # type: ignore[type-arg]
    return json.loads(branchlab(folder, "--json", "show", run).stdout)  # type: ignore[no-any-return]


def snapshot(repo: Path) -> dict[str, bytes]:
    """Everything a run may not touch: the work tree, the index, HEAD, the configuration."""
    kept = [p for p in repo.rglob("*") if p.is_file() and ".git" not in p.relative_to(repo).parts]
    kept += [repo / ".git" / name for name in ("index", "HEAD", "config", "refs/heads/main")]
    return {str(path): path.read_bytes() for path in kept}


def suspected(line: int) -> dict[str, object]:
    evidence = {"file": "model.py", "line": line, "quote": "return [point[0], 1.0]"}
    return {
        "symbol": "features",
        "title": "Read both coordinates",
        "rationale": "One is left out.",
        "evidence": [evidence],
    }


SUSPECTED = {"defects": [suspected(2), suspected(3)]}
"""What a model names after reading: one defect that is there, one that is on another line."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """One whole run with a scripted model: a good idea, one that reaches for the evaluator, then nothing."""
    folder = make_project(tmp_path_factory.mktemp("tour") / "project")
    before = snapshot(folder / "repo")
    model = write_answers(folder / "answers.json", SUSPECTED, {"proposals": [FIX, SNEAKY]})
    result = branchlab(folder, "run", "target.toml", "--budget", "40s", "--jobs", "2", "--model", model)
    assert result.returncode == 0, result.stderr
    assert snapshot(folder / "repo") == before
    return folder, result


def test_a_run_finds_the_edit_and_says_what_tuning_could_not(
    finished: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, result = finished
    data = shown(folder)
    gains = {arm["arm"]: arm["gain"] for arm in data["comparison"]["arms"]}
    assert gains["edits"]["low"] > 0
    assert gains["edits"]["mean"] > gains["tuner"]["mean"]
    assert "code edits beat hyperparameter tuning" in data["comparison"]["verdict"]
    assert data["comparison"]["verdict"] in result.stderr.replace("\n", " ")


def test_kept_edits_are_branches_and_no_diff_is_lost(
    finished: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, _ = finished
    branches = git(folder / "repo", "branch", "--list", "branchlab/*", "--format", "%(refname:short)").split()
    assert branches
    assert "point[1]" in git(folder / "repo", "diff", "main", branches[0])
    clone = next((folder / HOME / "repos").glob("*.git"))
    refs = set(git(clone, "for-each-ref", "--format", "%(objectname)", "refs/branchlab/").split())
    commits = {row["commit"] for row in shown(folder)["proposals"] if row["commit"] and row["diff"]}
    assert commits <= refs


def test_the_report_is_self_contained(finished: tuple[Path, "subprocess.CompletedProcess[str]"]) -> None:
    folder, _ = finished
    html = next((folder / HOME / "runs").glob("*/report.html")).read_text()
    assert "Use both coordinates" in html
    assert "Grade myself" in html
    for outside in ('src="http', 'href="http', "<script", "@import", "url(http"):
        assert outside not in html


def test_an_edit_of_the_evaluator_is_refused_with_its_reason(
    finished: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, _ = finished
    outcomes = {row["title"]: row["outcome"] for row in shown(folder)["proposals"]}
    assert outcomes["Use both coordinates"] == "branched"
    assert not any(row["commit"] for row in shown(folder)["proposals"] if row["title"] == "Grade myself")


def test_what_the_model_suspects_after_reading_is_told_where_its_lines_hold(
    finished: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, result = finished
    settings = shown(folder)["run"]["settings"]
    assert [(f["file"], f["line"], f["edits"]) for f in settings["model_findings"]] == [("model.py", 2, 0)]
    assert "dropped: 1 a quote that is not on the line it names" in settings["model_reading"]
    assert "the model read" in result.stderr


def test_every_arm_is_charged_and_none_exceeds_its_share(
    finished: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, _ = finished
    data = shown(folder)
    plan = data["run"]["settings"]["plan"]
    searched: dict[str, float] = {}
    for trial in data["trials"]:
        assert trial["device_seconds"] >= sum(run["device_seconds"] for run in trial["runs"]) - 1e-6
        if trial["phase"] == "search":
            searched[trial["arm"]] = searched.get(trial["arm"], 0.0) + trial["device_seconds"]
    longest = max(run["device_seconds"] for t in data["trials"] for run in t["runs"])
    assert set(searched) == {"rerun", "random", "tuner", "edits", "edits+tuner"}
    assert max(searched.values()) <= plan["share"] + 4 * longest


def test_a_second_opening_of_the_sealed_split_is_refused(
    finished: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, _ = finished
    run = shown(folder)["run"]["id"]
    again = branchlab(folder, "run", "--resume", run)
    assert again.returncode == 2
    assert "has ended" in again.stderr


def killed_when(folder: Path, words: list[str], said: str, number: signal.Signals) -> int:
    """Starts a run, sends the signal once the output says `said`, returns the exit code."""
    command = [sys.executable, "-m", "branchlab", *words]
    # A shell's background job, as CI may run us, ignores Ctrl-C, and so would every child of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if said in line:
                process.send_signal(number)
                break
        process.stderr.read()
        return process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_without_repeating_or_losing_a_trial(tmp_path: Path, number: signal.Signals) -> None:
    folder = make_project(tmp_path / "project")
    model = write_answers(folder / "answers.json", {"proposals": [FIX]})
    words = ["run", "target.toml", "--budget", "30s", "--jobs", "2", "--model", model]
    code = killed_when(folder, words, "tuner: ", number)
    assert code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    before = {t["id"]: t for t in shown(folder)["trials"]}
    assert before
    run = shown(folder)["run"]["id"]
    resumed = branchlab(folder, "run", "--resume", run, "--jobs", "2")
    assert resumed.returncode == 0, resumed.stderr
    after = shown(folder)["trials"]
    assert {t["id"]: t for t in after if t["id"] in before} == before
    ran = {(t["commit"], r["seed"], r["split"], r["started"]) for t in after for r in t["runs"]}
    assert len(ran) - len({key[:3] for key in ran}) <= 2  # two slots may make the same run at once, never more


def test_a_budget_too_small_says_how_much_is_needed(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    result = branchlab(folder, "run", "target.toml", "--budget", "1s")
    assert result.returncode == 3
    assert "wanted at least" in result.stderr
    assert result.stderr.strip().count("\n") < 12


def test_review_is_zero_for_a_better_branch_and_one_for_a_worse_or_forged_one(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    repo = folder / "repo"
    for branch, file, old, new in (
        ("better", "model.py", "[point[0], 1.0]", "[point[0], point[1], 1.0]"),
        ("worse", "model.py", "[point[0], 1.0]", "[1.0]"),
        ("forged", "score.py", "float(f == w)", "1.0"),
    ):
        git(repo, "checkout", "-q", "-b", branch, "main")
        (repo / file).write_text((repo / file).read_text().replace(old, new))
        git(repo, "commit", "-qam", branch)
    git(repo, "checkout", "-q", "main")
    better = branchlab(folder, "review", "target.toml", "better", "--jobs", "2")
    assert better.returncode == 0, better.stderr
    worse = branchlab(folder, "review", "target.toml", "worse", "--jobs", "2")
    assert worse.returncode == 1, worse.stderr
    forged = branchlab(folder, "review", "target.toml", "forged")
    assert forged.returncode == 1
    assert "score.py" in forged.stderr
    assert "protected" in forged.stderr

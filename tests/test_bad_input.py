"""What goes wrong at a user's desk: each ends in one line that says so, with its exit code, and loses nothing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from branchlab.agent.cli import main
from branchlab.evals.ledger import Ledger
from branchlab.sandbox import gpu_inventory

from .project import MANIFEST, git, make_project

TRAIN = 'train = ["python", "train.py", "{data}", "{out}", "{seed}"]'


def branchlab(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(main, ["--home", str(folder / "home"), *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def last_line(result: Result) -> str:
    return result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("budget", ["0", "0s", "-5s", "soon", ""])
def test_a_budget_that_is_none_is_refused_before_anything_starts(tmp_path: Path, budget: str) -> None:
    result = branchlab(tmp_path, "run", "digits_clean", "--budget", budget)
    assert result.exit_code == 2
    assert "--budget" in last_line(result)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda repo: repo.mkdir(), "not a git repository"),
        (lambda repo: None, "no such folder"),
        (lambda repo: (repo.mkdir(), git(repo, "init", "-q")), "no commit yet"),
        (
            lambda repo: (repo.mkdir(), git(repo, "init", "-q"), git(repo, "commit", "-qm", "x", "--allow-empty")),
            "no Python file",
        ),
    ],
    ids=["no git", "no folder", "no commit", "no Python"],
)
def test_init_says_what_the_folder_lacks(tmp_path: Path, make, said: str) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "repo")
    result = branchlab(tmp_path, "init", str(tmp_path / "repo"))
    assert result.exit_code == 2
    assert said in last_line(result)
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["no-such-program", "{out}"], "gives no score"),
        (["python", "-c", "import sys; sys.exit('boom')", "{out}"], "boom"),
        (["python", "-c", "import time; time.sleep(900)", "{out}"], "timeout"),
    ],
    ids=["no such program", "exit 1", "hangs"],
)
def test_a_training_that_fails_untouched_ends_the_run_with_its_reason(
    tmp_path: Path, argv: list[str], said: str
) -> None:
    manifest = MANIFEST.replace(TRAIN, f"train = {json.dumps(argv)}").replace('"20s"', '"2s"')
    make_project(tmp_path / "project", manifest=manifest)
    result = branchlab(tmp_path, "run", str(tmp_path / "project"), "--budget", "30s")
    assert result.exit_code == 2
    assert said in last_line(result)
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    (record,) = ledger.runs()
    assert record.status == "failed"
    assert len(ledger.trials(record.id)) == 1  # the other seeds would fail as slowly
    assert not list((tmp_path / "home" / "runs" / record.id).glob("scratch/*"))
    ledger.close()


@pytest.mark.parametrize("words", [["show", "nope"], ["report", "nope"], ["run", "--resume", "nope"]])
def test_a_run_nobody_made_is_named(tmp_path: Path, words: list[str]) -> None:
    Ledger.open(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}").close()
    result = branchlab(tmp_path, *words)
    assert result.exit_code == 2
    assert "no run nope" in last_line(result)


def test_a_target_that_asks_for_a_gpu_is_refused_where_there_is_none(tmp_path: Path) -> None:
    if gpu_inventory.find().usable:
        pytest.skip("this host has a GPU")
    make_project(tmp_path / "project", manifest=MANIFEST.replace("[limits]", "[limits]\ngpu = true"))
    result = branchlab(tmp_path, "run", str(tmp_path / "project"), "--budget", "30s", "--unsafe-no-sandbox")
    assert result.exit_code == 4
    assert "limits.gpu" in last_line(result)
    assert "fix: " in last_line(result)
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "home").glob("runs/*"))


def test_doctor_says_that_there_is_no_gpu(tmp_path: Path) -> None:
    if gpu_inventory.find().gpus:
        pytest.skip("this host has a GPU")
    result = branchlab(tmp_path, "doctor")
    line = next(line for line in result.stdout.splitlines() if " gpu " in line)
    assert line.startswith("absent")
    assert "limits.gpu = true is refused" in line

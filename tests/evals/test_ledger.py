import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branchlab.evals.charges import PROBES
from branchlab.evals.ledger import Ledger, RunRecord
from branchlab.evals.rows import decode_trial, encode_trial
from branchlab.evals.trial import ProposalRecord, Run, Score, Trial, Verdict, trial_id
from branchlab.targets.errors import LedgerError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec=None), max_size=20)
VALUES = st.one_of(FINITE, st.integers(), st.booleans(), TEXT)
SCORES = st.builds(
    Score, TEXT, FINITE, st.none() | st.lists(FINITE, max_size=5).map(tuple), st.dictionaries(TEXT, FINITE, max_size=3)
)
RUNS = st.builds(
    Run, st.integers(0, 2**31), TEXT, TEXT, TEXT, st.none() | SCORES, FINITE, FINITE, FINITE, TEXT, TEXT,
    st.none() | TEXT, FINITE, st.none() | TEXT,
)  # fmt: skip
LADDER = st.builds(
    lambda run, rung: replace(run, rung=rung, score=replace(run.score, per_example=None) if run.score else None),
    RUNS, st.sampled_from(["smoke", "short"]),
)  # fmt: skip
TRIALS = st.builds(
    Trial,
    id=st.just("t"), run_id=st.just("r"), arm=st.sampled_from(["baseline", "edits", "edits+tuner"]),
    phase=st.sampled_from(["search", "confirm"]), commit=TEXT, parent=TEXT,
    params=st.dictionaries(TEXT, VALUES, max_size=3), proposal_id=st.none() | TEXT,
    runs=st.lists(RUNS, max_size=3).map(tuple),
    verdicts=st.lists(st.builds(Verdict, TEXT, st.booleans(), TEXT), max_size=2).map(tuple),
    decision=st.sampled_from(["keep", "discard", "crash"]), device_seconds=FINITE, taken_from=st.none() | TEXT, created=FINITE,
    ladder=st.lists(LADDER, max_size=2).map(tuple), pruning=st.sampled_from(["", "pruned", "sampled"]),
)  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(f"sqlite:///{tmp_path}/deep/ledger.db")
    yield opened
    opened.close()


def make_run(seed: int = 0, split: str = "search") -> Run:
    return Run(seed, split, "ok", "", Score("accuracy", 0.5), 1.0, 0.9, 10.0, "", "fake (none)")


def make_trial(number: int = 0, **changes: object) -> Trial:
    trial = Trial(
        f"t{number}", "r", "edits", "search", "c" * 40, "b" * 40, {}, None, (make_run(),), (), "keep", 1.0
    )  # fmt: skip
    return replace(trial, **changes)  # type: ignore[arg-type]


@given(trial=TRIALS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_trial_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, trial: Trial) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db")
    ledger.add_trial(trial)
    found = ledger.trial("r", "t")
    ledger.close()
    assert found == trial
    assert [type(v) for v in found.params.values()] == [type(trial.params[k]) for k in found.params]


def test_many_per_example_values_come_back_exactly(ledger: Ledger) -> None:
    values = tuple(n / 7 for n in range(10_000))
    run = replace(make_run(), score=Score("m", 0.1, values))
    grouped = replace(make_run(2), score=Score("m", 0.1, values, groups=tuple(n % 17 for n in range(10_000))))
    ledger.add_trial(make_trial(runs=(run, make_run(1), grouped, run)))
    assert ledger.trials("r")[0].runs == (run, make_run(1), grouped, run)


def test_a_row_of_a_version_without_rungs_is_a_full_run() -> None:
    body, values = encode_trial(make_trial())
    old = json.loads(body)
    for key in ("ladder", "pruning"):
        del old[key]
    for run in old["runs"]:
        del run["rung"]
    assert decode_trial(json.dumps(old), values) == make_trial()
    assert make_trial().rung == "full"


def test_a_trial_is_added_once_and_the_first_row_stays(ledger: Ledger) -> None:
    ledger.add_trial(make_trial())
    ledger.add_trial(make_trial(decision="crash", device_seconds=9.0))
    assert [t.decision for t in ledger.trials("r")] == ["keep"]
    assert ledger.device_seconds("r") == {"edits": 1.0}


def test_trials_are_in_the_order_they_were_added_whatever_their_clock_says(ledger: Ledger) -> None:
    for number in (3, 1, 2):
        ledger.add_trial(make_trial(number, created=float(number)))
    assert [t.id for t in ledger.trials("r")] == ["t3", "t1", "t2"]


def test_trials_by_arm_phase_and_run(ledger: Ledger) -> None:
    ledger.add_trial(make_trial(1))
    ledger.add_trial(make_trial(2, arm="tuner"))
    ledger.add_trial(make_trial(3, arm="tuner", phase="confirm"))
    ledger.add_trial(make_trial(4, run_id="other"))
    assert [t.id for t in ledger.trials("r", arm="tuner")] == ["t2", "t3"]
    assert [t.id for t in ledger.trials("r", phase="search")] == ["t1", "t2"]
    assert [t.id for t in ledger.trials("other")] == ["t4"]
    assert ledger.trial("r", "t4") is None


def test_failures_are_charged_like_everything(ledger: Ledger) -> None:
    ledger.add_trial(make_trial(1, device_seconds=2.0))
    ledger.add_trial(make_trial(2, decision="crash", device_seconds=3.0))
    ledger.add_trial(make_trial(3, arm="tuner", phase="sealed", device_seconds=4.0))
    ledger.charge_device("r", "edits", seconds=0.5, purpose="cut off \ud800")
    assert ledger.device_seconds("r") == {"edits": 5.5, "tuner": 4.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_and_nothing_is_written(ledger: Ledger, value: float) -> None:
    with pytest.raises(LedgerError):
        ledger.add_trial(make_trial(runs=(replace(make_run(), score=Score("m", value)),)))
    assert ledger.trials("r") == []


def test_runs_change_their_status_and_settings(ledger: Ledger) -> None:
    ledger.start_run(RunRecord("r", "toy", "c" * 40, 1.0, settings={"seed": 1}))
    ledger.set_status("r", "interrupted", "by the user\n\x1b")
    ledger.update_settings("r", plan={"share": 2.5})
    assert ledger.run("r") == RunRecord(
        "r", "toy", "c" * 40, 1.0, "interrupted", "by the user\n\x1b", {"seed": 1, "plan": {"share": 2.5}}
    )
    with pytest.raises(LedgerError, match="already exists"):
        ledger.start_run(RunRecord("r", "another", "d" * 40, 2.0))
    with pytest.raises(LedgerError, match="no run x"):
        ledger.set_status("x", "done")
    assert [run.id for run in ledger.runs()] == ["r"]


def test_proposals_keep_their_first_row_and_get_their_branch(ledger: Ledger) -> None:
    record = ProposalRecord(
        "p", "r", "edits", "bug_fix", "bug_fix", "Fix \x00", "why", (("a.py", 3, "note"),), ({"operator": "x"},),
        "defects", "b" * 40, None, "", "refused: parses: no",
    )  # fmt: skip
    ledger.add_proposal(record)
    ledger.add_proposal(replace(record, title="another"))
    assert ledger.proposals("r") == [record]
    ledger.set_branch("r", "p", "branchlab/r/01-fix")
    assert ledger.proposal("r", "p") == replace(record, branch="branchlab/r/01-fix")
    with pytest.raises(LedgerError):
        ledger.set_branch("r", "nobody", "b")


def test_model_calls_of_unknown_price_are_counted_not_priced(ledger: Ledger) -> None:
    assert ledger.model_cost("r").calls == 0
    call = {"model": "m", "input_tokens": 10, "output_tokens": 2, "purpose": "propose"}
    ledger.charge_model("r", "edits", **call, dollars=0.25)  # type: ignore[arg-type]
    ledger.charge_model("r", "edits", **call, dollars=None)  # type: ignore[arg-type]
    ledger.charge_model("r", "tuner", **call, dollars=0.5)  # type: ignore[arg-type]
    cost = ledger.model_cost("r", "edits")
    assert (cost.calls, cost.unpriced_calls, cost.input_tokens, cost.dollars) == (2, 1, 20, 0.25)
    assert ledger.model_cost("r").dollars == 0.75


# the sealed split


@pytest.fixture
def sealed(ledger: Ledger) -> Ledger:
    ledger.start_run(RunRecord("r", "toy", "c" * 40, 1.0))
    for number, (arm, seed) in enumerate([("baseline", 100), ("edits", 100), ("baseline", 101), ("edits", 101)]):
        ledger.add_trial(make_trial(number, arm=arm, phase="confirm", runs=(make_run(seed, "confirm"),)))
    ledger.open_sealed("r")
    return ledger


def seal(ledger: Ledger, *which: tuple[str, int]) -> None:
    for arm, seed in which:
        ledger.add_trial(make_trial(100, id=f"{arm}{seed}", arm=arm, phase="sealed", runs=(make_run(seed, "sealed"),)))


def test_a_crash_inside_the_opening_may_go_on_and_is_counted(sealed: Ledger) -> None:
    seal(sealed, ("baseline", 100), ("edits", 100), ("baseline", 101))
    sealed.set_status("r", "interrupted")
    sealed.open_sealed("r")
    assert sealed.sealed_openings("r") == 2


def test_the_sealed_split_is_not_opened_again_once_its_trials_are_complete(sealed: Ledger) -> None:
    seal(sealed, ("baseline", 100), ("edits", 100), ("baseline", 101), ("edits", 101))
    with pytest.raises(LedgerError, match="was opened before"):
        sealed.open_sealed("r")
    assert sealed.sealed_openings("r") == 1


def test_a_run_that_has_ended_does_not_open_it_again(sealed: Ledger) -> None:
    sealed.set_status("r", "done")
    with pytest.raises(LedgerError):
        sealed.open_sealed("r")


# threads, processes, and files that are not as they should be


def test_threads_lose_nothing(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.add_trial(make_trial(n)), range(80)))
    assert sorted(t.id for t in ledger.trials("r")) == sorted(f"t{n}" for n in range(80))


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from test_ledger import make_trial
from branchlab.evals.ledger import Ledger
ledger = Ledger.open(sys.argv[1])
for number in range(40):
    ledger.add_trial(make_trial(number, id=f"{sys.argv[2]}-{number}"))
"""


def test_two_processes_open_an_empty_ledger_and_lose_nothing(tmp_path: Path) -> None:
    url, here = f"sqlite:///{tmp_path}/ledger.db", str(Path(__file__).parent)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, name, here]) for name in ("a", "b")]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    ledger = Ledger.open(url)
    assert len(ledger.trials("r")) == 80
    ledger.close()


def test_a_killed_writer_loses_no_finished_trial(tmp_path: Path) -> None:
    url, here = f"sqlite:///{tmp_path}/ledger.db", str(Path(__file__).parent)
    code = WRITER.replace("range(40)", "range(10**9)").replace(
        "    ledger", "    print(number, flush=True)\n    ledger"
    )
    with subprocess.Popen([sys.executable, "-c", code, url, "a", here], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        started = 0
        while started < 20:
            started = int(writer.stdout.readline())
        writer.kill()
    ledger = Ledger.open(url)
    found = [t.id for t in ledger.trials("r")]
    ledger.close()
    assert found[:20] == [f"a-{n}" for n in range(20)]
    assert found == [f"a-{n}" for n in range(len(found))]


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_corrupt_file_is_one_line_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(f"sqlite:///{path}")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("create table checkpoints (x)")
    connection.close()
    with pytest.raises(LedgerError, match="not a branchlab ledger"):
        Ledger.open(f"sqlite:///{tmp_path}/other.db")


def test_another_schema_version_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "deep" / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute("update branchlab_schema set version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="schema 99"):
        Ledger.open(f"sqlite:///{path}")


def test_a_full_disk_loses_nothing_written_before(ledger: Ledger, tmp_path: Path) -> None:
    ledger.add_trial(make_trial(0))
    with ledger._engine.connect() as connection:  # SQLite's own limit stands in for a disk without room
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
        connection.exec_driver_sql(f"pragma max_page_count = {pages}")
    large = make_trial(1, runs=(replace(make_run(), log="x" * 1_000_000),))
    with pytest.raises(LedgerError, match="full") as caught:
        ledger.add_trial(large)
    assert "INSERT" not in str(caught.value)
    ledger.close()
    again = Ledger.open(f"sqlite:///{tmp_path}/deep/ledger.db")
    assert again.trial("r", "t0") == make_trial(0)
    again.add_trial(large)
    assert again.trial("r", "t1") == large
    again.close()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "not a url", "", "nosuch://x", "sqlite:////dev/null/x/l.db"],
)
def test_a_url_that_cannot_be_a_ledger_is_one_line(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(url)
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql://user:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in str(caught.value)


def test_trial_ids_tell_apart_what_differs() -> None:
    ids = {
        trial_id("r", "edits", "search", "c"), trial_id("r", "edits", "confirm", "c"), trial_id("r", "tuner", "search", "c"),
        trial_id("r", "edits", "search", "c", (0, 1)), trial_id("q", "edits", "search", "c"),
    }  # fmt: skip
    assert len(ids) == 5
    assert trial_id("r", "edits", "search", "c") in ids


def test_the_card_takes_the_place_of_what_was_metered_and_is_not_lost(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'l.db'}")
    ledger.start_run(RunRecord("r", "t", "c" * 40, 0.0))
    ledger.meter("r", {"trivial baselines": ("baseline", 9.0)})
    ledger.keep_card("r", 2.0, trivial={"constant": 0.5})
    ledger.settle("r")
    assert (ledger.device_seconds("r"), ledger.lost_seconds("r")) == ({"baseline": 2.0}, {})
    assert ledger.run("r").settings == {"trivial": {"constant": 0.5}}
    ledger.close()


def test_probes_are_charged_to_the_edits_arm_and_are_not_lost(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'l.db'}")
    ledger.start_run(RunRecord("r", "t", "c" * 40, 0.0))
    ledger.meter("r", {PROBES: ("edits", 9.0)})
    ledger.keep_beside("r", ("edits", PROBES), 2.0, probes={"seconds": 2.0})
    ledger.settle("r")
    assert (ledger.device_seconds("r"), ledger.lost_seconds("r")) == ({"edits": 2.0}, {})
    ledger.close()

"""One sequence of events, three views: what each shows, and that nothing of a stranger's text gets through raw."""

import io
import json
import threading
from collections.abc import Callable

import pytest
from rich.console import Console

from branchlab.agent.events import (
    BudgetUsed,
    CodeRead,
    Event,
    ModelCharged,
    Note,
    PhaseChanged,
    Promoted,
    ProposalMade,
    ProposalRefused,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialStarted,
)
from branchlab.agent.live import make_view
from branchlab.agent.views.json_lines import JsonLines
from branchlab.agent.views.plain import Plain
from branchlab.agent.views.terminal import Terminal

HOSTILE = "drop \x1b[31m[red]it[/red]\x07 \u202eevil\nsecond line"
STARTED = RunStarted(
    run_id="r1", target="digits", commit="c0ffee" * 6 + "abcd", metric="accuracy", direction="maximize",
    arms=("baseline", "tuner", "edits"), budget_seconds=90, sandbox="bubblewrap (watchdog)", integrity="separate",
)  # fmt: skip
EVENTS: tuple[Event, ...] = (
    STARTED,
    PhaseChanged("reading the code"),
    CodeRead(files=12, findings=4, tunables=1, unread=("bad.py",)),
    ProposalMade("edits", "Call zero_grad before backward", "bug_fix", "defects"),
    ProposalRefused("edits", "Delete the evaluator", "in_scope: score.py is protected"),
    TrialFinished("t0", "baseline", "the code as it is", 0.9, 0.9, "keep", "", 3.0, "calibrate"),
    TrialStarted("t1", "edits", "Call zero_grad before backward"),
    TrialFinished("t1", "edits", "Call zero_grad before backward", 0.9512, 0.9512, "keep", ""),
    TrialStarted("t2", "tuner", "LR 0.1 → 0.9"),
    TrialFinished("t2", "tuner", "LR 0.1 → 0.9", None, None, "crash", "exit code 1"),
    BudgetUsed("edits", 45.0, 90.0),
    ModelCharged("edits", "m", 1000, 200, 0.0125),
    Note("the machine is busy", "warning"),
    Promoted("Call zero_grad before backward", "branchlab/r1/01-call-zero-grad"),
    RunFinished("r1", "done", "Edits gained 0.05.", ("runs/r1/report.html",), ("branchlab/r1/01-call-zero-grad",)),
)


def ticking() -> Callable[[], float]:
    ticks = iter(range(10_000))
    return lambda: float(next(ticks))


def plain_lines(*events: Event) -> list[str]:
    stream = io.StringIO()
    with Plain(stream, clock=ticking()) as view:
        for event in events:
            view.handle(event)
    return stream.getvalue().splitlines()


def screen(*events: Event, width: int = 100, height: int = 40) -> str:
    console = Console(width=width, height=height, record=True, file=io.StringIO(), force_terminal=True)
    with Terminal(console, clock=lambda: 5.0) as view:
        for event in events:
            view.handle(event)
        shown = Console(width=width, height=height, record=True, file=io.StringIO())
        shown.print(view.draw())
    return shown.export_text()


def test_plain_writes_one_line_for_each_event_and_none_for_moving_numbers() -> None:
    assert plain_lines(*EVENTS) == [
        "00:01 run r1 started: digits at c0ffeec0ff, accuracy to maximize, 3 arms, 1:30 on 1 slot, "
        "sandbox bubblewrap (watchdog), integrity: separate",
        "00:02 reading the code",
        "00:03 read 12 files: 4 findings, 1 tunable; could not read bad.py",
        "00:04 edits: proposed by defects (bug fix): Call zero_grad before backward",
        "00:05 edits: refused: Delete the evaluator: in_scope: score.py is protected",
        "00:06 baseline: keep 0.9000 (best 0.9000): the code as it is",
        "00:07 edits: running: Call zero_grad before backward",
        "00:08 edits: keep 0.9512 (best 0.9512): Call zero_grad before backward",
        "00:09 tuner: running: LR 0.1 → 0.9",
        "00:10 tuner: crash no score: LR 0.1 → 0.9: exit code 1",
        "00:11 warning: the machine is busy",
        "00:12 kept: Call zero_grad before backward: branch branchlab/r1/01-call-zero-grad",
        "00:13 run r1 done: Edits gained 0.05.",
        "00:13 branch: branchlab/r1/01-call-zero-grad",
        "00:13 report: runs/r1/report.html",
    ]


def test_plain_says_loudly_that_there_is_no_sandbox() -> None:
    unsafe = RunStarted("r", "t", "c" * 40, "loss", "minimize", (), 60, "unconfined", "same-process")
    assert "WARNING: no sandbox" in plain_lines(unsafe)[0]


def test_plain_survives_a_stream_that_cannot_write_every_character() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Plain(stream, clock=ticking()).handle(TrialStarted("t", "tuner", "LR 0.1 → 0.9"))
    assert raw.getvalue() == b"00:01 tuner: running: LR 0.1 ? 0.9\n"


@pytest.mark.parametrize(
    "event",
    [
        TrialStarted(HOSTILE, "edits", HOSTILE),
        TrialFinished("t", "edits", HOSTILE, 1.0, 1.0, "discard", HOSTILE),
        ProposalRefused("edits", HOSTILE, HOSTILE),
        Note(HOSTILE),
        Promoted(HOSTILE, HOSTILE),
        CodeRead(1, 1, 1, (HOSTILE,)),
        RunFinished("r", "done", HOSTILE, (HOSTILE,), (HOSTILE,), HOSTILE),
    ],
)
def test_no_control_character_of_an_event_reaches_any_stream(event: Event) -> None:
    machine = io.StringIO()
    JsonLines(machine).handle(event)
    for text in ("\n".join(plain_lines(event)), screen(STARTED, event), machine.getvalue()):
        assert not set(text) & {"\x1b", "\x07", "\x7f", "\u202e"}
    assert all(line[2] == ":" for line in plain_lines(event)), "a newline of the text started a line of its own"


def test_markup_of_rich_in_a_title_is_shown_and_not_obeyed() -> None:
    assert "[red]it[/red]" in screen(STARTED, TrialStarted("t", "edits", "drop [red]it[/red]"))
    assert "[/]" in screen(STARTED, Note("unbalanced [/] tag"))


def test_json_lines_hold_every_field() -> None:
    stream = io.StringIO()
    view = JsonLines(stream, clock=lambda: 1700000000.5)
    for event in EVENTS:
        view.handle(event)
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [row["event"] for row in rows] == [type(event).__name__ for event in EVENTS]
    assert rows[2] == {
        "event": "CodeRead", "at": 1700000000.5, "files": 12, "findings": 4, "tunables": 1, "unread": ["bad.py"],
    }  # fmt: skip
    assert rows[9]["score"] is None


def test_json_lines_stay_json_when_a_number_is_not_finite() -> None:
    stream = io.StringIO()
    JsonLines(stream).handle(TrialFinished("t", "edits", "x", float("nan"), float("inf"), "crash", ""))
    row = json.loads(stream.getvalue(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert row["score"] is None
    assert row["best"] is None


def test_terminal_shows_shares_gains_failures_and_money() -> None:
    shown = screen(*EVENTS[:-1])
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert rows["edits"][-5:] == ["50%", "0.9512", "+0.0512", "1", "0"]
    assert rows["tuner"][-5:] == ["0%", "–", "–", "1", "1"]
    assert rows["baseline"][-4:] == ["0.9000", "–", "1", "0"]
    assert "$0.0125" in shown
    assert "warning: the machine is busy" in shown


def test_terminal_counts_a_smaller_loss_as_a_gain() -> None:
    started = RunStarted("r", "t", "c" * 40, "loss", "minimize", ("baseline", "edits"), 60, "bubblewrap", "separate")
    shown = screen(
        started,
        TrialFinished("a", "baseline", "the code as it is", 2.0, 2.0, "keep", ""),
        TrialFinished("b", "edits", "fix", 1.5, 1.5, "keep", ""),
    )
    assert "+0.5000" in shown


def test_terminal_keeps_confirm_scores_out_of_the_search_column() -> None:
    confirm = TrialFinished("t9", "edits", "fix", 0.5, 0.5, "keep", "", 1.0, "confirm")
    row = next(line for line in screen(*EVENTS[:-1], confirm).splitlines() if line.startswith("edits"))
    assert "0.9512" in row


def test_terminal_shows_what_runs_and_for_how_long_and_forgets_it_when_it_ends() -> None:
    started = TrialStarted("t1", "edits", "Call zero_grad")
    assert "Call zero_grad" in screen(STARTED, started)
    ended = screen(STARTED, started, TrialFinished("t1", "edits", "Call zero_grad", 1.0, 1.0, "keep", ""))
    assert "running" not in ended


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_terminal_never_draws_wider_than_it_is(width: int) -> None:
    shown = screen(*EVENTS[:-1], TrialStarted("t3", "edits", "very long title " * 20), width=width)
    assert max(map(len, shown.splitlines())) <= width


def test_terminal_leaves_the_verdict_and_whole_paths_behind() -> None:
    stream = io.StringIO()
    path = "a-long-folder-name/" * 8 + "report.html"
    with Terminal(Console(file=stream, width=60, force_terminal=True)) as view:
        view.handle(STARTED)
        view.handle(RunFinished("r1", "done", "Edits gained 0.05.", (path,)))
    left = stream.getvalue().rpartition("\x1b[?25h")[2]
    assert "Edits gained 0.05." in left
    assert path in left.replace("\n", "")


def test_every_view_takes_events_from_many_threads() -> None:
    stream = io.StringIO()
    view = Plain(stream)

    def work(name: int) -> None:
        for step in range(50):
            view.handle(Note(f"worker {name} step {step} " + "x" * 50))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 400
    assert all(line.endswith("x" * 50) and line.count("worker") == 1 for line in lines)


def test_the_view_fits_the_stream() -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(make_view(stderr=io.StringIO()), Plain)
    assert isinstance(make_view(stderr=Tty(), json=True), JsonLines)


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_view(stderr=Tty()), Terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_view(stderr=Tty()), Plain)


def test_an_alarm_stays_on_the_screen_in_red_and_is_there_at_the_end() -> None:
    alarm = Note("the untouched code is no better than a constant", "alarm")
    assert plain_lines(alarm)[0].endswith("alarm: the untouched code is no better than a constant")
    out = io.StringIO()
    view = Terminal(Console(file=out, width=120, force_terminal=True), ticking())
    for event in (STARTED, alarm, *[PhaseChanged(f"phase {n}") for n in range(20)], EVENTS[-1]):
        view.handle(event)
    with view:
        pass
    assert "\x1b[1;31malarm: the untouched code is no better than a constant" in out.getvalue()

"""The live view of a terminal: each arm against its share of the budget, what runs now, what happened last."""

import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...evals.report.text import one_line
from ..events import Event, RunFinished
from .progress import ArmProgress, Progress
from .sentences import number, seconds

REFRESH_PER_SECOND = 4
SHOWN_RUNNING = 4


class Terminal:
    """Redraws itself in place; every text of an event is drawn as text, never as rich's markup."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._lock = Lock()
        self._progress = Progress(since=clock())
        self._live = Live(
            console=console,
            get_renderable=self.draw,
            refresh_per_second=REFRESH_PER_SECOND,
            vertical_overflow="crop",
        )

    def handle(self, event: Event) -> None:
        with self._lock:
            self._progress.apply(event, self._clock())

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        with self._lock:
            finished, alarms = self._progress.finished, list(self._progress.alarms)
        for alarm in alarms:
            self._console.print(Text(alarm, style="bold red"), soft_wrap=True)
        if finished:
            self._console.print(_ending(finished), soft_wrap=True)

    def draw(self) -> RenderableType:
        """The screen as it is now; called by the refresh thread."""
        with self._lock:
            now, progress = self._clock(), self._progress
            alarms = [Text(alarm, style="bold red") for alarm in progress.alarms]
            parts: list[RenderableType] = [_head(progress, now), *alarms, Text(), _arms(progress)]
            if progress.running:
                parts += [Text(), _running(progress, now)]
            if progress.last:
                room = max(2, self._console.height - 9 - len(progress.arms) - min(len(progress.running), SHOWN_RUNNING))
                parts += [Text(), _last(progress, room)]
        return Group(*parts)


def _head(progress: Progress, now: float) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    left = Text("branchlab", style="bold")
    if progress.started:
        better = "higher" if progress.started.direction == "maximize" else "lower"
        left.append(f"  {one_line(progress.started.target, 64)}", style="bold cyan")
        left.append(f"  {one_line(progress.started.metric, 40)}, {better} is better", style="dim")
        if "unconfined" in progress.started.sandbox:
            left.append("  no sandbox", style="bold red")
        elif not progress.started.sandbox.startswith("bubblewrap"):
            left.append(f"  in {one_line(progress.started.sandbox, 20)}", style="dim")
    right = Text(one_line(progress.phase, 40), style="cyan")
    right.append(f"  {seconds(now - progress.since)}", style="default")
    if progress.model_calls:
        right.append(f"  ${progress.dollars:.4f}", style="default")
        if progress.unpriced_calls:
            right.append(f" + {progress.unpriced_calls} calls of unknown price", style="yellow")
    grid.add_row(left, right)
    return grid


def _arms(progress: Progress) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("arm", no_wrap=True)
    table.add_column("share of its budget", ratio=1, min_width=8, no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for heading in ("best", "gain", "trials", "failed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, arm in progress.arms.items():
        table.add_row(name, *_arm_row(progress, name, arm))
    return table


def _arm_row(progress: Progress, name: str, arm: ArmProgress) -> tuple[RenderableType, ...]:
    done = arm.used / arm.share if arm.share > 0 else 0.0
    bar = ProgressBar(total=1.0, completed=min(done, 1.0), complete_style="cyan", finished_style="cyan")
    best = Text("–" if arm.best is None else number(arm.best))
    failed = Text(str(arm.failed), style="yellow" if arm.failed else "dim")
    return bar, Text(f"{done:.0%}", style="dim"), best, _gain(progress, name), Text(str(arm.trials)), failed


def _gain(progress: Progress, name: str) -> Text:
    gain = None if name == "baseline" else progress.gain(name)
    if gain is None:
        return Text("–", style="dim")
    sign = "+" if gain > 0 else "−" if gain < 0 else " "
    return Text(f"{sign}{abs(gain):.4f}", style="green" if gain > 0 else "default")


def _running(progress: Progress, now: float) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("running", no_wrap=True, min_width=11)
    table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("", justify="right", no_wrap=True)
    current = list(progress.running.values())
    for run in current[:SHOWN_RUNNING]:
        table.add_row(run.arm, Text(one_line(run.title, 200)), seconds(now - run.since))
    if len(current) > SHOWN_RUNNING:
        table.add_row("", Text(f"and {len(current) - SHOWN_RUNNING} more", style="dim"), "")
    return table


def _last(progress: Progress, room: int) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(justify="right", style="dim", no_wrap=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for at, said in list(progress.last)[-room:]:
        grid.add_row(seconds(at - progress.since), Text(said, style="yellow" if said.startswith("warning") else ""))
    return grid


def _ending(event: RunFinished) -> RenderableType:
    """What stays on the screen for good: paths whole, so that they can be copied."""
    text = Text("\n")
    text.append(one_line(event.verdict, 2000), style="bold")
    named = [("branch", name) for name in event.branches] + [("report", path) for path in event.reports]
    for what, where in [*named, *([("ledger", event.ledger)] if event.ledger else [])]:
        text.append(f"\n{what:<8}", style="dim").append(one_line(where, 1000))
    return text

"""The end of a run for a person: the arms in one table, the verdict under it."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..evals.compare import ArmResult, Comparison
from ..evals.difference import Difference
from ..evals.report.results import verdict_word
from ..evals.report.text import one_line
from .views.sentences import number


def verdict_table(comparison: Comparison) -> RenderableType:
    """Gains are on the confirm split over the untouched code, positive is better; the interval is 95 %."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("arm", no_wrap=True)
    for name in ("gain", "95 % interval", "verdict", "confirm", "sealed", "trials", "device s"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in comparison.arms:
        table.add_row(*(Text(cell) for cell in _cells(arm)))
    return Group(table, Text(), Text(one_line(comparison.verdict, 1000)))


def _cells(arm: ArmResult) -> tuple[str, ...]:
    return (
        arm.arm,
        _signed(arm.gain.mean) if arm.gain else "",
        _interval(arm.gain),
        verdict_word(arm) if arm.standing else "",
        *("" if score is None else number(score) for score in (arm.confirm_score, arm.sealed_score)),
        str(arm.trials),
        f"{arm.device_seconds:.0f}",
    )


def _interval(gain: Difference | None) -> str:
    if gain is None or gain.low is None or gain.high is None:
        return ""
    return f"{_signed(gain.low)} to {_signed(gain.high)}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"

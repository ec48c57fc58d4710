"""The end of a run for a person: the arms in one table, the verdict under it."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..evals.compare import ArmResult, Comparison
from ..evals.report import numbers
from ..evals.report.text import one_line

BETTER = {"better": "yes", "not better": "no", "undecided": "open"}


def verdict_table(comparison: Comparison) -> RenderableType:
    """Gains are on the confirm split over the untouched code, positive is better; the interval is 95 %. `better` says whether
    the gain is accepted under the error budget of the whole run. Fits into 80 columns."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("arm", no_wrap=True)
    for name in ("gain", "95 % interval", "better", "confirm", "sealed", "trials", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    gains = [arm.gain for arm in comparison.arms if arm.gain]
    halves = [(g.high - g.low) / 2 for g in gains if g.low is not None and g.high is not None]
    digits = numbers.decimals(halves or [g.mean for g in gains])
    for arm in comparison.arms:
        table.add_row(*(Text(cell) for cell in _cells(arm, digits)))
    return Group(table, Text(), Text(one_line(comparison.verdict, 1000)))


def _cells(arm: ArmResult, digits: int) -> tuple[str, ...]:
    gain = arm.gain
    return (
        arm.arm,
        numbers.signed(gain.mean, digits) if gain and gain.mean is not None else "",
        numbers.interval(gain.low, gain.high, digits) if gain else "",
        BETTER[arm.standing.state] if arm.standing else "",
        *("" if score is None else numbers.score(score, digits) for score in (arm.confirm_score, arm.sealed_score)),
        str(arm.trials),
        f"{arm.device_seconds:.0f}",
    )

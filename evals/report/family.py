"""The report's section on repeats of the whole search."""

from ..repeats import Estimate, Repeats, estimate
from ..trial import Arm
from . import numbers
from .curves import Axis
from .page import Figure, Table, table
from .plots import NARROW, WIDE, Band, repeated

_MILESTONES = (0.25, 0.5, 0.75, 1.0)
_SAID: dict[Axis, str] = {"trials": "trials ended", "seconds": "device seconds charged", "dollars": "dollars spent"}


def lead(found: Repeats | None) -> str:
    """What was repeated, and what the intervals cover; empty where nothing was."""
    if found is None:
        return ""
    n = len(found.runs)
    waiting = (
        f" {numbers.count(found.unfinished, 'search', 'searches')} of them not ended, left out."
        if found.unfinished
        else ""
    )
    few = " One search shows no spread: there are no intervals." if n < 2 else ""
    return (
        f"{numbers.count(n, 'whole search', 'whole searches')} with the same code, budget and arms, and other seeds for tuners and "
        f"search; all confirm on the same data, with seeds of the same list. Intervals are 95 %, over searches.{waiting}{few}"
    )


def tables(found: Repeats | None, digits: int) -> tuple[Table, ...]:
    if found is None or not found.runs:
        return ()
    axes: tuple[Axis, ...] = ("seconds", "trials", "dollars")
    curves = tuple(_growth(found, axis, digits) for axis in axes if found.end(axis) > 0)
    return (_arms(found, digits), _wins(found), *curves)


def figure(found: Repeats | None) -> Figure:
    """Empty below two ended searches."""
    bands = [_band(found, arm) for arm in found.curves["seconds"]] if found and len(found.runs) > 1 else []
    wide, narrow = (repeated(bands, width=width, name=f"repeats-{width}") for width in (WIDE, NARROW))
    caption = (
        "Mean over whole searches of the best score so far on the search split, with 95 % intervals, by device seconds. Search "
        "scores are chosen for being high."
    )
    return Figure(wide, narrow, caption)


def _band(found: Repeats, arm: Arm) -> Band:
    """At every charge where any search moved, and at the end."""
    moves = {at for curve in found.curves["seconds"][arm] for at, _ in curve.steps} | {found.end("seconds")}
    points = []
    for at in sorted(moves):
        value = found.best_at("seconds", arm, at)
        if value is not None:
            low, high = (value.mean if bound is None else bound for bound in (value.low, value.high))
            points.append((at, value.mean, low, high))
    return Band(arm, tuple(points))


def _arms(found: Repeats, digits: int) -> Table:
    rows = []
    for arm in found.curves["seconds"]:
        gains, areas = found.gains.get(arm, ()), found.areas[arm]
        gain, area = estimate(gains) if gains else None, estimate(areas) if areas else None
        rows.append([arm, str(len(gains)), *_cells(gain, digits, sign=True), *_cells(area, 2)])
    return table(
        "Gain on fresh seeds, and area under the curve of the search, over whole searches",
        [
            ("arm", "arm"), ("searches", "number"), ("mean gain", "number"), ("95 % interval", "number"),
            ("mean area", "number"), ("95 % interval", "number"),
        ],
        rows,
    )  # fmt: skip


def _cells(value: Estimate | None, digits: int, *, sign: bool = False) -> list[str]:
    if value is None:
        return [numbers.NONE, numbers.NONE]
    mean = numbers.signed(value.mean, digits) if sign else numbers.score(value.mean, digits)
    if value.low is None or value.high is None:
        return [mean, "none: one search"]
    if sign:
        return [mean, numbers.interval(value.low, value.high, digits)]
    return [mean, f"{numbers.score(value.low, digits)} to {numbers.score(value.high, digits)}"]


def _wins(found: Repeats) -> Table:
    rows = []
    for pair in found.superiority:
        bounds = (
            f"{pair.low:.2f} to {pair.high:.2f}" if pair.low is not None and pair.high is not None else numbers.NONE
        )
        note = "too few searches to tell it from a coin, whatever came of them" if pair.too_few else ""
        rows.append([f"{pair.first} beats {pair.second}", f"{pair.probability:.2f}", bounds, str(pair.n), note])
    return table(
        "How often a whole search of one arm confirms a larger gain than one of another; a tie counts half",
        [("", "text"), ("probability", "number"), ("95 % interval", "number"), ("searches", "number"), ("", "text")],
        rows,
    )


def _growth(found: Repeats, axis: Axis, digits: int) -> Table:
    end = found.end(axis)
    marks = [_mark(axis, end * part) for part in _MILESTONES]
    rows = [
        [arm, *(_spoken(found, (axis, arm), end * part, digits) for part in _MILESTONES)]
        for arm, curves in found.curves[axis].items()
        if curves
    ]
    heading = f"Best score so far on the search split, mean and interval over searches, by {_SAID[axis]}"
    return table(heading, [("arm", "arm"), *((mark, "number") for mark in marks)], rows)


def _spoken(found: Repeats, what: tuple[Axis, Arm], charged: float, digits: int) -> str:
    value = found.best_at(*what, charged)
    if value is None:
        return numbers.NONE
    mean = numbers.score(value.mean, digits)
    if value.low is None or value.high is None:
        return mean
    return f"{mean} ({numbers.score(value.low, digits)} to {numbers.score(value.high, digits)})"


def _mark(axis: Axis, charged: float) -> str:
    said = {"trials": f"{charged:.0f}", "seconds": numbers.seconds(charged), "dollars": numbers.dollars(charged)}
    return f"at {said[axis]}"

"""The report's first half: what each arm gained, how fast, and which kind of edit it came from."""

from ..compare import ArmResult, Difference
from ..gates.guards import PREFIX
from . import numbers
from .curves import Axis, Curve, anytime, top_of
from .facts import Facts
from .page import Figure, Highlight, Table, table
from .plots import NARROW, WIDE, Gain, forest, growth

_LABELS = {
    "edits": "Code edits",
    "tuner": "Hyperparameter tuning",
    "edits+tuner": "Both together",
    "review": "This branch",
}
_MILESTONES = (0.25, 0.5, 0.75, 1.0)


def places(facts: Facts) -> int:
    """Decimals for every score and gain of the report: two digits of the narrowest interval."""
    gains = [arm.gain for arm in facts.comparison.arms if arm.gain]
    halves = [(g.high - g.low) / 2 for g in gains if g.low is not None and g.high is not None]
    return numbers.decimals(halves or [g.mean for g in gains])


def highlights(facts: Facts) -> tuple[Highlight, ...]:
    found = []
    for name, label in _LABELS.items():
        arm = next((a for a in facts.comparison.arms if a.arm == name), None)
        if arm and arm.gain and arm.gain.mean is not None:
            value = numbers.signed(arm.gain.mean, places(facts))
            cost = f"{numbers.seconds(arm.device_seconds)} of device time"
            found.append(Highlight(label, value, _spoken(arm.gain, places(facts)), cost, name))
    return tuple(found)


def _spoken(gain: Difference, digits: int) -> str:
    if gain.low is None or gain.high is None:
        return "no interval"
    tie = ", a tie" if gain.tie else ""
    return f"{numbers.interval(gain.low, gain.high, digits)}{tie}"


def arms(facts: Facts) -> Table:
    return table(
        "Every arm: its gain on fresh seeds with a 95 % interval, its scores on each split, and what it cost",
        [
            ("arm", "arm"), ("gain", "number"), ("95 % interval", "number"), ("verdict", "text"), ("search", "number"), ("confirm", "number"),
            ("sealed", "number"), ("device", "number"), ("CPU", "number"), ("dollars", "number"), ("trials", "number"),
            ("failed", "number"),
        ],
        [_arm_row(arm, places(facts)) for arm in facts.comparison.arms],
    )  # fmt: skip


def _arm_row(arm: ArmResult, digits: int) -> list[str]:
    gain = arm.gain
    cost = numbers.dollars(arm.dollars) + (f" + {arm.unpriced_calls} unpriced" if arm.unpriced_calls else "")
    return [
        arm.arm,
        numbers.signed(gain.mean, digits) if gain else "0 by construction" if arm.arm == "rerun" else numbers.NONE,
        (numbers.interval(gain.low, gain.high, digits) + (" (tie)" if gain.tie else "")) if gain else numbers.NONE,
        verdict_word(arm),
        numbers.score(arm.search_score, digits),
        numbers.score(arm.confirm_score, digits),
        numbers.score(arm.sealed_score, digits),
        numbers.seconds(arm.device_seconds),
        numbers.seconds(arm.cpu_seconds),
        cost,
        str(arm.trials),
        str(sum(arm.failures.values())),
    ]


def verdict_word(arm: ArmResult) -> str:
    """`accepted`, `not accepted`, `undecided`; nothing for what was not tested."""
    if arm.standing is None:
        return numbers.NONE
    return {"better": "accepted", "not better": "not accepted", "undecided": "undecided"}[arm.standing.state]


def method(facts: Facts) -> str:
    """What the gains are, and how the intervals were made."""
    comparison = facts.comparison
    better = "higher" if comparison.direction == "maximize" else "lower"
    methods = sorted({arm.gain.method for arm in comparison.arms if arm.gain})
    made = f" Intervals: {'; '.join(methods)}." if methods else ""
    return (
        f"Gain in {comparison.metric} ({better} is better) over the untouched code, measured on the confirm split and on "
        f"fresh seeds; positive is always better.{made} The search score was chosen for being high, so quote the gain, and see "
        "in the sealed score, of a split that was opened once and chose nothing, whether it holds. A gain is accepted when these "
        "seeds could hardly have come out like this by luck, all arms taken together; anything else is a tie: not proof that "
        f"nothing was gained, but nothing to build on.{_resolution(facts)}"
    )


def _resolution(facts: Facts) -> str:
    effect, seeds = facts.setting("resolution", "effect"), facts.setting("resolution", "seeds")
    if not isinstance(effect, int | float):
        return ""
    return f" With {seeds} seeds a gain of {effect:.2g} is found four times in five, a smaller one less often."


def forest_figure(facts: Facts) -> Figure:
    gains = [
        Gain(arm.arm, arm.arm, arm.gain.mean, arm.gain.low, arm.gain.high)
        for arm in facts.comparison.arms
        if arm.gain and arm.gain.mean is not None
    ]
    caption = f"Gain in {facts.comparison.metric} over the untouched code on fresh seeds, with 95 % intervals."
    wide, narrow = (forest(gains, width=width, name=f"forest-{width}") for width in (WIDE, NARROW))
    return Figure(wide, narrow, caption)


def growth_figure(facts: Facts) -> Figure:
    curves = _curves(facts)
    better = "higher" if facts.comparison.direction == "maximize" else "lower"
    caption = (
        f"Best {facts.comparison.metric} so far on the search split ({better} is better) against the device seconds charged "
        "to each arm. A cross is a trial that failed; its time is charged."
    )
    wide, narrow = (growth(curves, facts.baseline, width=width, name=f"growth-{width}") for width in (WIDE, NARROW))
    return Figure(wide, narrow, caption)


def growth_table(facts: Facts) -> Table:
    """The curves as numbers: for those who do not see them, and for Markdown."""
    curves = _curves(facts)
    end = max((curve.spent for curve in curves), default=0.0)
    columns = [f"at {numbers.seconds(end * part)}" for part in _MILESTONES]
    digits = places(facts)
    rows = [
        [
            curve.arm,
            *(numbers.score(curve.best_at(end * part), digits) for part in _MILESTONES),
            str(len(curve.failures)),
        ]
        for curve in curves
    ]
    top = top_of(curves, facts.comparison.direction)
    for row, curve in zip(rows, curves, strict=True):
        area = curve.area(end, top) if top is not None else None
        row.append(numbers.score(area, 2))
    heading = (
        "Best score so far on the search split, by device seconds charged; area: under the curve, 0 for never better than "
        "the untouched code, 1 for the best score of any arm from the start"
    )
    measured = [("arm", "arm"), *((c, "number") for c in columns), ("failed", "number"), ("area", "number")]
    return table(heading, measured, rows)  # type: ignore[arg-type]


def growth_axes(facts: Facts) -> tuple[Table, ...]:
    """The same curves by trials, and by dollars where anything had a price."""
    tables = []
    for axis, said in (
        ("trials", "trials ended"),
        ("dollars", "dollars spent, on models and devices that have a price"),
    ):
        curves = _curves(facts, axis)  # type: ignore[arg-type]
        end = max((curve.spent for curve in curves), default=0.0)
        if end <= 0:
            continue
        marks = [
            f"at {end * part:.0f}" if axis == "trials" else f"at {numbers.dollars(end * part)}" for part in _MILESTONES
        ]
        rows = [[c.arm, *(numbers.score(c.best_at(end * part), places(facts)) for part in _MILESTONES)] for c in curves]
        columns = [("arm", "arm"), *((mark, "number") for mark in marks)]
        tables.append(table(f"Best score so far on the search split, by {said}", columns, rows))  # type: ignore[arg-type]
    return tuple(tables)


def _curves(facts: Facts, axis: Axis = "seconds") -> list[Curve]:
    comparison, hourly = facts.comparison, facts.setting("device_dollars_per_hour")
    found = [
        anytime(facts.trials, arm.arm, comparison.direction, facts.baseline, axis=axis, hourly=hourly)
        for arm in comparison.arms
    ]
    return [curve for curve in found if curve.spent > 0]


def guards(facts: Facts) -> Table:
    rows = [
        [arm.arm, v.gate.removeprefix(PREFIX), "held" if v.passed else "broken: not accepted", v.reason]
        for arm in facts.comparison.arms
        for v in arm.guards
    ]
    return table(
        "What must not get worse, by winner, on fresh seeds against the untouched code",
        [("arm", "arm"), ("guard", "text"), ("verdict", "text"), ("what was found", "text")],
        rows,
    )


def kinds(facts: Facts) -> Table:
    digits = places(facts)
    rows = []
    for kind in facts.comparison.kinds:
        best = kind.best
        rows.append([
            words(kind.kind), str(kind.tried), str(kind.kept), str(kind.failed), str(kind.refused),
            numbers.signed(kind.mean, digits), numbers.signed(best.gain.mean, digits) if best else numbers.NONE,
            best.title if best else numbers.NONE,
        ])  # fmt: skip
    return table(
        "Edits by kind, each alone against the commit it was made on, on the search split",
        [
            ("kind", "text"), ("tried", "number"), ("kept", "number"), ("failed", "number"), ("refused", "number"),
            ("mean gain", "number"), ("best gain", "number"), ("best edit", "text"),
        ],
        rows,
    )  # fmt: skip


def words(name: str) -> str:
    return name.replace("_", " ")

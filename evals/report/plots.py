"""The report's two pictures: gains with their intervals, and how the best score of each arm grew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .curves import Curve
from .svg import PAINTS, drawing, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 820, 340
"""CSS pixels: a desk and a telephone get a drawing each, so that the text of both has the page's size."""
_DASHES = {
    "rerun": (0, (2, 3)),
    "random": (0, (1.2, 1.6)),
    "tuner": (0, (5, 2)),
    "edits": "solid",
    "edits+tuner": (0, (7, 2, 1.5, 2)),
}
"""Arms differ by more than their colour."""


@dataclass(frozen=True, slots=True)
class Gain:
    """One row of the forest plot. `label` is one of our own words, never text of the ledger."""

    label: str
    arm: str
    mean: float
    low: float | None
    """None on both sides: no interval could be made, and none is drawn."""
    high: float | None


@dataclass(frozen=True, slots=True)
class Band:
    arm: str
    points: tuple[tuple[float, float, float, float], ...]
    """(charged, mean, low, high) wherever a search of the arm moved; the interval is the mean itself where there is none."""


def paint(arm: str) -> str:
    return PAINTS.get(arm.replace("+", "-"), PAINTS["ink"])


def forest(gains: Sequence[Gain], *, width: int, name: str) -> str:
    """Each gain as a point on its interval, and the line of no gain. Nothing to draw gives an empty string."""
    if not gains:
        return ""
    height = 30 * len(gains) + 62
    with drawing(width, height) as figure:
        axes = _axes(figure, left=108, right=18, bottom=44, top=8)
        axes.axvline(0, color=PAINTS["muted"], linewidth=1, zorder=1)
        for row, gain in enumerate(gains):
            colour = paint(gain.arm)
            if gain.low is not None and gain.high is not None:
                axes.plot([gain.low, gain.high], [row, row], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
                for end in (gain.low, gain.high):
                    axes.plot([end, end], [row - 0.14, row + 0.14], color=colour, linewidth=2, zorder=2)
            axes.plot([gain.mean], [row], marker=_marker(gain.arm), markersize=9, color=colour, zorder=3)
        axes.set_yticks(range(len(gains)), [gain.label for gain in gains])
        axes.tick_params(axis="y", length=0, labelcolor=PAINTS["ink"])
        axes.set_ylim(len(gains) - 0.5, -0.5)
        axes.margins(x=0.08)
        _few_ticks(axes, width)
        axes.set_xlabel("gain over the baseline (right is better)" if width >= WIDE else "gain (right is better)")
        words = "; ".join(_spoken(gain) for gain in gains)
        return to_svg(figure, name, f"Gain over the baseline. {words}")


def _spoken(gain: Gain) -> str:
    if gain.low is None or gain.high is None:
        return f"{gain.label}: {gain.mean:+.4g}, no interval"
    return f"{gain.label}: {gain.mean:+.4g}, interval {gain.low:+.4g} to {gain.high:+.4g}"


def growth(curves: Sequence[Curve], baseline: float | None, *, width: int, name: str) -> str:
    """Step curves of the best score against device seconds; a cross is a trial that failed. Empty when none scored."""
    drawn = [curve for curve in curves if curve.steps and curve.arm != "baseline"]
    if not drawn:
        return ""
    height = 340 if width >= WIDE else 280
    with drawing(width, height) as figure:
        axes = _axes(figure, left=64, right=104, bottom=46, top=12)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        end = max(curve.spent for curve in drawn)
        labels: list[tuple[float, str, str]] = []
        if baseline is not None:
            axes.plot([0, end], [baseline, baseline], color=paint("baseline"), linewidth=1.2)
            labels.append((baseline, "baseline", paint("baseline")))
        for curve in drawn:
            _step(axes, curve)
            labels.append((curve.steps[-1][1], curve.arm, paint(curve.arm)))
        axes.set_xlim(0, end * 1.01)
        axes.margins(y=0.08)
        _few_ticks(axes, width)
        axes.set_xlabel("device seconds charged")
        _label_ends(axes, labels, apart=17 / (height - 58))
        words = "; ".join(f"{c.arm} ends at {c.steps[-1][1]:.4g} after {c.spent:.0f} s" for c in drawn)
        return to_svg(figure, name, f"Best score so far against device seconds. {words}")


def repeated(bands: Sequence[Band], *, width: int, name: str) -> str:
    """Mean best score over whole searches against device seconds, as steps with their 95 % interval; empty without any."""
    drawn = [band for band in bands if band.points]
    if not drawn:
        return ""
    height = 340 if width >= WIDE else 280
    with drawing(width, height) as figure:
        axes = _axes(figure, left=64, right=104, bottom=46, top=12)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        for band in drawn:
            colour, (x, mean, low, high) = paint(band.arm), zip(*band.points, strict=True)
            axes.plot(
                x, mean, drawstyle="steps-post", color=colour, linewidth=2, linestyle=_DASHES.get(band.arm, "solid")
            )
            axes.fill_between(x, low, high, step="post", color=colour, alpha=0.12, linewidth=0)
        axes.set_xlim(0, max(band.points[-1][0] for band in drawn) * 1.01)
        axes.margins(y=0.08)
        _few_ticks(axes, width)
        axes.set_xlabel("device seconds charged")
        labels = [(band.points[-1][1], band.arm, paint(band.arm)) for band in drawn]
        _label_ends(axes, labels, apart=17 / (height - 58))
        words = "; ".join(f"{b.arm} ends at {b.points[-1][1]:.4g}" for b in drawn)
        return to_svg(figure, name, f"Mean best score so far over whole searches. {words}")


def _step(axes: "Axes", curve: Curve) -> None:
    colour = paint(curve.arm)
    x = [at for at, _ in curve.steps] + [curve.spent]
    y = [best for _, best in curve.steps] + [curve.steps[-1][1]]
    axes.plot(x, y, drawstyle="steps-post", color=colour, linewidth=2, linestyle=_DASHES.get(curve.arm, "solid"))
    axes.plot(x[:-1], y[:-1], linestyle="none", marker=_marker(curve.arm), markersize=5, color=colour)
    crossed = [(at, best) for at in curve.failures if (best := curve.best_at(at)) is not None]
    if crossed:
        axes.plot(*zip(*crossed, strict=True), linestyle="none", marker="x", markersize=7, color=colour)


def _label_ends(axes: "Axes", labels: list[tuple[float, str, str]], apart: float) -> None:
    """Each curve's name beside its end, pushed apart (in shares of the axes' height) where ends meet."""
    low, high = axes.get_ylim()
    placed = sorted(((value - low) / (high - low), text, colour) for value, text, colour in labels)
    at = [place for place, _, _ in placed]
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + apart)
    overflow = max(0.0, at[-1] - 0.99)
    at = [place - overflow for place in at]
    for i in range(len(at) - 2, -1, -1):
        at[i] = min(at[i], at[i + 1] - apart)
    for place, (_, text, colour) in zip(at, placed, strict=True):
        axes.text(1.015, place, text, transform=axes.transAxes, color=colour, va="center", parse_math=False)


def _marker(arm: str) -> str:
    return {"baseline": "|", "rerun": "^", "random": "v", "tuner": "s", "edits": "o", "edits+tuner": "D"}.get(arm, "o")


def _axes(figure: "Figure", *, left: int, right: int, bottom: int, top: int) -> "Axes":
    """Axes with margins in CSS pixels."""
    width, height = figure.get_size_inches() * 72
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    return figure.add_axes(box)


def _few_ticks(axes: "Axes", width: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if width < WIDE else 7, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    axes.tick_params(axis="x", length=4)

"""matplotlib figures as SVG that lives inside an HTML page: its colours are the page's, its ids are its own."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAINTS = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    "page": "#040404",
    "baseline": "#050505",
    "random": "#060606",
    "tuner": "#070707",
    "edits": "#080808",
    "edits-tuner": "#090909",
    "rerun": "#0b0b0b",
}
"""matplotlib knows no CSS variables: each role is drawn in a colour nobody would choose, then renamed in the SVG, so
that one picture serves the light and the dark page."""

_RC = {
    "svg.fonttype": "none",  # text stays text: selectable, searchable, in the page's font
    "svg.hashsalt": "branchlab",
    "font.size": 13,
    "font.family": "DejaVu Sans",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": PAINTS["rule"],
    "axes.labelcolor": PAINTS["muted"],
    "xtick.color": PAINTS["rule"],
    "xtick.labelcolor": PAINTS["muted"],
    "ytick.color": PAINTS["rule"],
    "ytick.labelcolor": PAINTS["muted"],
    "text.color": PAINTS["ink"],
    "grid.color": PAINTS["rule"],
}
_UNITS_PER_INCH = 72
"""Of a matplotlib SVG: one unit is one CSS pixel when the page shows it at its own size."""
_one_at_a_time = Lock()
"""matplotlib's settings belong to the process: they are borrowed by one drawing at a time and given back."""


@contextmanager
def drawing(width: float, height: float) -> Iterator["Figure"]:
    """A figure of this size in CSS pixels, with the report's settings; pass it to `to_svg` inside the block."""
    from matplotlib import rc_context, rcParamsDefault
    from matplotlib.figure import Figure

    ours = {key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")} | _RC
    with _one_at_a_time, rc_context(ours):
        yield Figure(figsize=(width / _UNITS_PER_INCH, height / _UNITS_PER_INCH), facecolor="none")


def to_svg(figure: "Figure", name: str, description: str) -> str:
    """The figure as an `<svg>` element; `name` makes its ids unique in the page, `description` is for those who do
    not see it. Both are our own words: nothing of the ledger is drawn but numbers."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # Its style element would reach the whole page; style.css says the same for plots only.
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    for paint, colour in PAINTS.items():
        svg = svg.replace(colour, f"var(--{paint})")
    width, height = _view_box(svg)
    head = (
        f'<svg class="plot" role="img" aria-label="{description}" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + svg[svg.index(">") + 1 :].strip()


def _view_box(svg: str) -> tuple[str, str]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if found is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    return found[1], found[2]

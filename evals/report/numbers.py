"""Numbers as a reader wants them: a true minus sign, digits that fit what is known, units in words."""

import math
from collections.abc import Iterable

NONE = "–"
"""Stands where there is no number; never a 0."""


def decimals(values: Iterable[float | None]) -> int:
    """How many decimals show two significant digits of the smallest of these that is not 0; from 2 to 6."""
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not sizes:
        return 4
    return max(2, min(6, 1 - math.floor(math.log10(min(sizes)))))


def score(value: float | None, places: int = 4) -> str:
    if value is None:
        return NONE
    if abs(value) >= 1e5:
        return f"{value:.4g}".replace("-", "−")
    return f"{value:.{places}f}".replace("-", "−")


def signed(value: float | None, places: int = 4) -> str:
    """With its sign, also when it is a gain; 0 has none."""
    if value is None:
        return NONE
    text = score(abs(value), places)
    if not text.strip("0."):
        return text
    return ("+" if value > 0 else "−") + text


def interval(low: float | None, high: float | None, places: int = 4) -> str:
    """`−0.002 to +0.031`."""
    if low is None or high is None:
        return NONE
    return f"{signed(low, places)} to {signed(high, places)}"


def seconds(value: float | None) -> str:
    """Seconds up to ten thousand of them, so that columns compare; then hours."""
    if value is None:
        return NONE
    return f"{value:,.1f} s" if value < 10_000 else f"{value / 3600:,.2f} h"


def dollars(value: float | None) -> str:
    if value is None:
        return NONE
    return "$0" if value == 0 else f"${value:.4f}" if value < 1 else f"${value:,.2f}"


def count(n: int, thing: str, things: str = "") -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {things or thing + 's'}"

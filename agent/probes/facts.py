"""What was measured, and how to take it. Imported inside the sandbox too, so the standard library is all it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Settled = Literal["confirmed", "refuted", "unprobed"]
Facts = Mapping[str, bool | int | float | str]
"""What was measured. Hostile: the probed code ran in the process that wrote it."""
Ask = dict[str, Any]
"""What a measurement is told. JSON values."""


class Unsettled(Exception):
    """Why a probe leaves a finding as it was."""


def number(facts: Facts, name: str) -> float:
    """Raises: Unsettled when there is no such number."""
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unsettled(f"the probe measured no {name}")
    return float(value)


def flag(facts: Facts, name: str) -> bool:
    """Raises: Unsettled when there is no such yes or no."""
    value = facts.get(name)
    if not isinstance(value, bool):
        raise Unsettled(f"the probe did not tell {name}")
    return value

"""Rows with an order in time, or in groups, are split at random.

Why it hurts: the model is judged on days between the days it learned from, or on other rows of the same patient or
user; the score does not hold for tomorrow or for a new one. Source: Kapoor & Narayanan 2023, leakage types L1.4 and L3.1;
Yang et al. 2022.

    before                                          after
    df["lag"] = df["y"].shift(1)                    df["lag"] = df["y"].shift(1)
    a, b = train_test_split(df)                     a, b = train_test_split(df, shuffle=False)

Only told: whether the future, or a new group, is what the model is for cannot be read.

Not flagged: `shuffle=False`, and code that knows a split by time or by group.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words

_TIME = frozenset({"date", "time", "datetime", "timestamp", "day", "year", "month"})
_ORDERED = frozenset({"shift", "rolling", "ewm", "pct_change"})
_KNOWS = ("TimeSeriesSplit", "GroupKFold", "GroupShuffleSplit", "LeaveOneGroupOut", "StratifiedGroupKFold")


@dataclass(frozen=True, slots=True)
class TimeSplitAtRandom:
    name: str = "time_split_at_random"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            splits = [call for call in function.calls if called_name(call) == "train_test_split"]
            if not splits or any(name in function.source.text for name in _KNOWS):
                continue
            for split in splits:
                order = _order(function, split)
                if order is not None and keyword_of(split, "shuffle") is None:
                    yield self._finding(function, split, order)

    def _finding(self, function: Function, split: ast.Call, order: ast.Call) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            split.lineno,
            function.name,
            "Split rows that are ordered in time by time",
            f"`{ast.unparse(order)[:60]}` (line {order.lineno}) uses an order of the rows; a split at random puts rows "
            "between those the model learned from into the test part.",
            (),
            confidence="low",
        )


def _order(function: Function, split: ast.Call) -> ast.Call | None:
    """A call above the split that uses an order in time."""
    if "pandas" not in function.source.aliases.values():
        return None
    for call in function.calls:
        if call.lineno >= split.lineno:
            continue
        if called_name(call) in _ORDERED and isinstance(call.func, ast.Attribute):
            return call
        if called_name(call) == "sort_values" and _TIME & {w for a in _texts(call) for w in words(a)}:
            return call
    return None


def _texts(call: ast.Call) -> list[str]:
    return [n.value for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str)]

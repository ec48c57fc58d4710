"""The time of an event is a parameter, and what is stored is the time of storing.

Why it hurts: what happened last year is filed under today; every question about when, before or after gets a wrong answer, and only
those. Source: arXiv 2604.01007 (event time replaced by ingest time).

    before                                                  after
        def add(self, text, timestamp):                         def add(self, text, timestamp):
            self.items.append(                                      self.items.append(
                {"text": text,                                          {"text": text,
                 "timestamp": datetime.now()})                           "timestamp": timestamp})

Silent: functions that read the parameter anywhere, and fields that say when something was stored, updated or read.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function

_TIMES = frozenset({"timestamp", "event_time", "event_date", "date", "when", "occurred_at", "session_date", "session_time",
                    "date_time", "message_time", "created_at", "conversation_time"})  # fmt: skip
_NOW = frozenset({"datetime.datetime.now", "datetime.datetime.utcnow", "time.time", "datetime.datetime.today",
                  "datetime.date.today", "pandas.Timestamp.now"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventTime:
    name: str = "event_time_ignored"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            given = _TIMES & set(function.parameters)
            if not given:
                continue
            read = {n.id for n in function.everything if isinstance(n, ast.Name)} | {
                n.value
                for n in function.everything
                if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value == "locals"
            }
            for field, now in _stamped(function):
                if field in given - read and "locals" not in read:
                    yield self._finding(field, now, function)

    def _finding(self, field: str, now: ast.Call, function: Function) -> Finding:
        return Finding(
            self.name, function.source.path, now.lineno, function.name, f"Store the {field} that was given"[:72],
            f"The parameter `{field}` is never read; `{ast.unparse(now)[:60]}` is stored in its place.",
            _edits(field, now, function), confidence="high",
        )  # fmt: skip


def _stamped(function: Function) -> Iterator[tuple[str, ast.Call]]:
    """Fields that are set to the present: keys, keywords and attributes."""
    for node in function.own:
        pairs: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Dict):
            pairs = [
                (str(k.value), v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)
            ]
        elif isinstance(node, ast.Call):
            pairs = [(k.arg, k.value) for k in node.keywords if k.arg]
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Attribute):
                pairs = [(target.attr, node.value)]
            elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                pairs = [(str(target.slice.value), node.value)]
        for field, value in pairs:
            if (now := _now(value, function)) is not None:
                yield field, now


def _now(value: ast.expr, function: Function) -> ast.Call | None:
    """`datetime.now()`, also as `datetime.now().isoformat()`."""
    while isinstance(value, ast.Call):
        if function.source.full(value.func) in _NOW:
            return value
        if not isinstance(value.func, ast.Attribute):
            return None
        value = value.func.value
    return None


def _edits(field: str, now: ast.Call, function: Function) -> tuple[Edit, ...]:
    """The parameter where the present was, when it stands there alone: of another form it is not known which it has."""
    if isinstance(function.source.parents[now], ast.Attribute) or isinstance(function.node, ast.Module):
        return ()
    args = function.node.args
    optional = [a.arg for a in args.args[len(args.args) - len(args.defaults) :]]
    optional += [a.arg for a, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is not None]
    new = f"{field} or {ast.unparse(now)}" if field in optional else field
    return (function.replace(now, new),)

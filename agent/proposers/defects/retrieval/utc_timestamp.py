"""Seconds since 1970 are asked of a UTC time that does not know it is UTC.

Why it hurts: `utcnow()` has no time zone, and `.timestamp()` takes it for local time: the result is off by the machine's offset,
right on a server in UTC and hours wrong on a laptop; what is newest or expired is decided by it. Source: the documentation of
Python's datetime.utcnow, which warns of this and deprecates it.

    before                                          after
        datetime.utcnow().timestamp()                   datetime.now().timestamp()

Silent: times with a zone, and UTC times that are only compared or printed.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function

_UTC = ("datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp")


@dataclass(frozen=True, slots=True)
class UtcTimestamp:
    name: str = "utc_timestamp"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                made = _made(call, function)
                if made is not None:
                    new = ast.unparse(made).replace("utcnow", "now").replace("utcfromtimestamp", "fromtimestamp")
                    yield Finding(
                        self.name, function.source.path, call.lineno, function.name, "Take seconds since 1970 from local time",
                        f"`{ast.unparse(call)[:80]}` is off by this machine's distance from UTC.",
                        (function.replace(made, new),), confidence="high", safe=True,
                    )  # fmt: skip


def _made(call: ast.Call, function: Function) -> ast.Call | None:
    """The call that made the time of which seconds are asked directly."""
    match call.func:
        case ast.Attribute(attr="timestamp", value=ast.Call(func=func) as made) if function.source.full(func) in _UTC:
            return made
    return None

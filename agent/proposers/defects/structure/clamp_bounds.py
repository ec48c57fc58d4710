"""A clamp whose lower bound is above its upper one, or a guard against zero that cuts off the top in place of the bottom.

Why it hurts: with the bounds exchanged every element becomes the same number and no gradient passes. With
`clamp(max=1e-8)` before a division or a logarithm, what was to be at least tiny is at most tiny: the quotient explodes
and zero still divides. Source: S (silent "wrong calculation"); seen in public fix histories.

    before                                          after
    x / norm.clamp(max=1e-8)                        x / norm.clamp(min=1e-8)

Silent: bounds that are not literal numbers, and clamps whose result is neither a divisor nor the argument of a
logarithm or root.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function
from .found import at
from .signs import number

_CLAMPS = frozenset("clamp clip clamp_".split())
_TINY = 1e-3


@dataclass(frozen=True, slots=True)
class ClampBounds:
    name: str = "clamp_bounds"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in _CLAMPS or any(isinstance(a, ast.Starred) for a in call.args):
                    continue
                low, high = _bounds(call, function)
                if low is not None and high is not None and low > high:
                    yield self._exchanged(call, low, high, function)
                elif low is None and high is not None and 0 < high <= _TINY and _guards(call, function):
                    yield self._guard(call, function)

    def _exchanged(self, call: ast.Call, low: float, high: float, function: Function) -> Finding:
        why = f"The lower bound {low:g} is above the upper one {high:g}: every element becomes {high:g}."
        return replace(
            at(self.name, function, call, "Exchange the bounds of the clamp", why, (_swapped(call, function),)),
            confidence="high",
        )

    def _guard(self, call: ast.Call, function: Function) -> Finding:
        why = "What is divided by, or taken the logarithm of, is at most this tiny number, and still may be zero."
        edit = function.replace(call, _renamed(call, function))
        found = at(self.name, function, call, "Guard against zero from below, not from above", why, (edit,))
        return replace(found, confidence="high")


def _operands(call: ast.Call, function: Function) -> int:
    """How many positional arguments stand before the bounds."""
    full = function.source.full(call.func)
    return 1 if full.startswith(("torch.", "numpy.", "np.", "jax.", "tensorflow.", "keras.")) else 0


def _bounds(call: ast.Call, function: Function) -> tuple[float | None, float | None]:
    given = call.args[_operands(call, function) :]
    low = given[0] if given else keyword_of(call, "min") or keyword_of(call, "a_min")
    high = given[1] if len(given) > 1 else keyword_of(call, "max") or keyword_of(call, "a_max")
    return tuple(number(one) if one is not None else None for one in (low, high))  # type: ignore[return-value]


_OPPOSITE = {"min": "max", "max": "min", "a_min": "a_max", "a_max": "a_min"}


def _renamed(call: ast.Call, function: Function) -> str:
    """The call as it is written, its bounds by the other's name."""
    source = function.source
    func = source.segment(call.func)
    parts = [source.segment(argument) for argument in call.args]
    parts += [
        f"{_OPPOSITE.get(k.arg, k.arg)}={source.segment(k.value)}" if k.arg else f"**{source.segment(k.value)}"
        for k in call.keywords
    ]
    return f"{func}({', '.join(parts)})"


def _swapped(call: ast.Call, function: Function) -> Edit:
    place = _operands(call, function)
    if len(call.args) < place + 2:
        return function.replace(call, _renamed(call, function))
    parts = [function.source.segment(argument) for argument in (*call.args, *call.keywords)]
    parts[place], parts[place + 1] = parts[place + 1], parts[place]
    return function.replace(call, f"{function.source.segment(call.func)}({', '.join(parts)})")


def _guards(call: ast.Call, function: Function) -> bool:
    """Whether the clamp's result is a divisor, or what a logarithm or root is taken of."""
    if not any(keyword.arg in ("max", "a_max") for keyword in call.keywords):
        return False
    above = function.source.parents[call]
    if isinstance(above, ast.BinOp):
        return isinstance(above.op, ast.Div) and above.right is call
    if isinstance(above, ast.Attribute):
        return above.attr in ("log", "sqrt", "rsqrt", "log2", "reciprocal")
    return isinstance(above, ast.Call) and called_name(above) in ("log", "sqrt", "rsqrt", "log2", "reciprocal")

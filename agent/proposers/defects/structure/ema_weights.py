"""A moving average whose two weights do not add up to one, or are exchanged.

Why it hurts: with `mul_(d).add_(x, alpha=d)` the average grows without end; with the weights exchanged it forgets
everything but the last step, and the smoothed copy of the model is as noisy as the model itself. Source: seen in public
fix histories (state not updated as meant).

    before                                          after
    avg.mul_(decay).add_(p, alpha=decay)            avg.mul_(decay).add_(p, alpha=1 - decay)
    avg.lerp_(p, 0.999)                             avg.lerp_(p, 1 - 0.999)

Silent: weights that cannot be compared, and decays near one half or unknown, where both orders make sense.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words
from .found import at
from .signs import number

_AVERAGE = frozenset("ema avg average running shadow moving smoothed smooth momentum target teacher".split())


@dataclass(frozen=True, slots=True)
class EmaWeights:
    name: str = "ema_weights"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                found = _added(call, function) or _lerped(call, function)
                if found is not None:
                    yield self._finding(call, *found, function)
            for node in function.own:
                if isinstance(node, ast.Assign) and (found := _sum(node, function)) is not None:
                    yield self._finding(node, *found, function)

    def _finding(self, node: ast.AST, why: str, edit: Edit, function: Function) -> Finding:
        found = at(self.name, function, node, "Make the weights of the moving average add up to one", why, (edit,))
        return replace(found, confidence="high")


def _added(call: ast.Call, function: Function) -> tuple[str, Edit] | None:
    """`avg.mul_(d).add_(x, alpha=d)`."""
    alpha = keyword_of(call, "alpha")
    if called_name(call) != "add_" or alpha is None or not isinstance(call.func, ast.Attribute):
        return None
    inner = call.func.value
    if not isinstance(inner, ast.Call) or called_name(inner) != "mul_" or len(inner.args) != 1:
        return None
    decay = inner.args[0]
    if ast.unparse(decay) != ast.unparse(alpha) or number(decay) == 0.5 or isinstance(decay, ast.BinOp):
        return None
    if number(decay) == 1 or not _is_average(inner, function):
        return None
    text = function.source.segment(decay)
    edit = function.set_keyword(call, "alpha", f"1 - {text}")
    return f"Both weights are `{text}`: they add up to {text} twice, not to one.", edit


def _is_average(call: ast.Call, function: Function) -> bool:
    said = {*function.words, *words(ast.unparse(call)), *(words(function.owner.name) if function.owner else ())}
    return bool((_AVERAGE | {"decay", "beta", "beta1", "beta2"}) & said)


def _lerped(call: ast.Call, function: Function) -> tuple[str, Edit] | None:
    """`avg.lerp_(x, decay)` with a decay near one: the weight is that of the new value."""
    if called_name(call) != "lerp_" or len(call.args) != 2 or not _is_average(call, function):
        return None
    weight = call.args[1]
    value = number(weight) if number(weight) is not None else _default(weight, function)
    if value is None or not 0.9 <= value < 1:
        return None
    text, old = function.source.segment(call), function.source.segment(weight)
    new = text[: text.rindex(old)] + f"1 - {old}" + text[text.rindex(old) + len(old) :]
    return f"`lerp_` takes the weight of the new value, and {value:g} is that of the old one.", function.replace(
        call, new
    )


def _default(node: ast.expr, function: Function) -> float | None:
    """What a decay is, given the default of a parameter, or the constructor's for `self.decay`."""
    name = ast.unparse(node).removeprefix("self.")
    if not {"decay", "momentum", "tau"} & set(words(name)) or "tau" in words(name):
        return None
    homes = [function]
    if ast.unparse(node).startswith("self.") and function.owner is not None:
        homes = [f for f in function.source.functions if f.owner is function.owner and f.name.endswith("__init__")]
    for home in homes:
        if not isinstance(home.node, ast.Module):
            args = home.node.args
            plain = [*args.posonlyargs, *args.args]
            given = dict(zip([a.arg for a in plain[len(plain) - len(args.defaults) :]], args.defaults, strict=True))
            given |= {a.arg: d for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None}
            if name in given:
                return number(given[name])
    return None


def _sum(node: ast.Assign, function: Function) -> tuple[str, Edit] | None:
    """`avg = d * avg + d * x`."""
    value = node.value
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add):
        return None
    if not all(isinstance(p, ast.BinOp) and isinstance(p.op, ast.Mult) for p in (value.left, value.right)):
        return None
    target = ast.unparse(node.targets[0])
    around = words(function.owner.name) if function.owner is not None else ()
    if not (_AVERAGE | {"decay"}) & {*words(target), *function.words, *around}:
        return None
    left, right = ([ast.unparse(p.left), ast.unparse(p.right)] for p in (value.left, value.right))  # type: ignore[attr-defined]
    shared = [text for text in left if text in right]
    if target not in left or len(shared) != 1 or shared[0] == target:
        return None
    if not {"decay", "momentum", "beta", "alpha", "rate"} & set(words(shared[0])):
        return None
    other = right[1 - right.index(shared[0])]
    text = function.source.segment(value.right)
    return f"Both weights are `{shared[0]}`.", _replace_right(value, f"(1 - {shared[0]}) * {other}", text, function)


def _replace_right(value: ast.BinOp, new: str, old: str, function: Function) -> Edit:
    left = function.source.segment(value.left)
    return function.replace(value, f"{left} + {new}")

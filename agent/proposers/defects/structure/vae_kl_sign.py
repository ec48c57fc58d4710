"""The divergence of a variational autoencoder with its sign turned.

Why it hurts: KL to the unit normal is `-0.5 * sum(1 + logvar - mu**2 - exp(logvar))` and never negative. Without the
minus, minimising the loss drives the posterior away from the prior as fast as it can: the loss falls below zero,
samples are noise, and the reconstruction looks fine. Source: S (silent "wrong calculation").

    before                                          after
    kl = 0.5 * (1 + lv - mu**2 - lv.exp()).sum()    kl = -0.5 * (1 + lv - mu**2 - lv.exp()).sum()

Silent: values that are subtracted or negated later, here or by a caller, and names that do not say KL.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from .found import at
from .signs import is_negated, number, sign_in_statement, terms

_KL = frozenset("kl kld kldiv divergence dkl".split())


@dataclass(frozen=True, slots=True)
class VaeKlSign:
    name: str = "vae_kl_sign"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
                    inner = _sign_of_divergence(node)
                    above = function.source.parents[node]
                    if not inner or (isinstance(above, ast.BinOp) and isinstance(above.op, ast.Add | ast.Sub)):
                        continue
                    sign, top = sign_in_statement(node, function)
                    if sign * inner < 0 and _is_kl_as_it_is(top, function, program):
                        yield self._finding(top, function)

    def _finding(self, top: ast.AST, function: Function) -> Finding:
        value = top.value  # type: ignore[attr-defined]
        why = "As written the divergence is never positive: minimising it drives the posterior away from the prior."
        edit = function.replace(value, _turned(value, function))
        found = at(self.name, function, value, "Turn the sign of the divergence", why, (edit,))
        return replace(found, confidence="high")


def _turned(value: ast.expr, function: Function) -> str:
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        return function.source.segment(value.operand)
    text = function.source.segment(value)
    simple = isinstance(value, ast.Call) or (isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div))
    if text.startswith("-"):
        return text[1:].lstrip()
    return f"-{text}" if simple else f"-({text})"


def _sign_of_divergence(node: ast.BinOp) -> int:
    """-1 for `1 + logvar - mu**2 - exp(logvar)`, 1 for the same with all signs turned; 0 for anything else."""
    signs: dict[str, int] = {}
    parts = list(terms(node))
    if len(parts) != 4:
        return 0
    for sign, part in parts:
        if number(part) == 1:
            signs["one"] = sign
        elif isinstance(part, ast.Call) and called_name(part) == "exp":
            signs["exp"] = sign
        elif _is_square(part):
            signs.setdefault("square", sign)
        else:
            signs["log"] = sign
    if len(signs) == 4 and signs["one"] == signs["log"] == -signs["exp"] == -signs["square"]:
        return -signs["one"]
    return 0


def _is_square(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return number(node.right) == 2
    return isinstance(node, ast.Call) and called_name(node) in ("pow", "square")


def _is_kl_as_it_is(top: ast.AST, function: Function, program: Program) -> bool:
    if isinstance(top, ast.Assign) and len(top.targets) == 1:
        target = ast.unparse(top.targets[0])
        if not _KL.intersection(words(target)) or is_negated(target, function):
            return False
    elif not isinstance(top, ast.Return) or not _KL.intersection(function.words):
        return False
    for caller, call in program.callers(function):
        sign, above = sign_in_statement(call, caller)
        targets = above.targets if isinstance(above, ast.Assign) else []
        names = [ast.unparse(t) for target in targets for t in getattr(target, "elts", [target])]
        if sign < 0 or any(is_negated(name, caller) for name in names):
            return False
    return True

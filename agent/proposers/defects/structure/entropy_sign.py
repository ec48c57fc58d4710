"""An entropy without its minus, or an entropy bonus that is added to the loss.

Why it hurts: entropy is minus the sum of p log p. Without the minus the term that should keep the policy exploring makes
it collapse, and a report of uncertainty reads upside down. The same happens where the entropy is right and the loss,
which is minimised, adds it. Source: S (silent "wrong calculation"); seen in public fix histories.

    before                                          after
    entropy = (p * p.log()).sum(-1)                 entropy = -(p * p.log()).sum(-1)

Silent: names that say negative, values that are subtracted or negated later, and losses whose coefficient may be
negative.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from .found import at
from .signs import is_negated, own_sign, sign_in_statement, terms

_SUMS = frozenset("sum mean nansum".split())
_LOGS = frozenset("log log2 xlogy log_softmax".split())
_NEGATIVE = frozenset("neg negative minus loss objective".split())
_POLICY = frozenset("policy actor pg surrogate ppo action value critic".split())


@dataclass(frozen=True, slots=True)
class EntropySign:
    name: str = "entropy_sign"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in _SUMS or not _is_p_log_p(_summed(call)):
                    continue
                if _is_entropy_as_it_is(call, function, program):
                    yield self._without_minus(call, function)
            for node in function.own:
                if isinstance(node, ast.Assign) and (bonus := _added_bonus(node, function)) is not None:
                    yield self._added(*bonus, function)

    def _without_minus(self, call: ast.Call, function: Function) -> Finding:
        why = "The sum of p log p is minus the entropy, and nothing here or where it is used turns the sign."
        edit = function.replace(call, f"-{function.source.segment(call)}")
        return replace(at(self.name, function, call, "Give the entropy its minus", why, (edit,)), confidence="high")

    def _added(self, whole: ast.BinOp, term: ast.expr, function: Function) -> Finding:
        left, right = (function.source.segment(node) for node in (whole.left, whole.right))
        why = f"`{ast.unparse(term)}` is added to a loss that is minimised: the policy is paid for being certain."
        edit = function.replace(whole, f"{left} - {right}")
        return at(self.name, function, whole, "Subtract the entropy bonus from the loss", why, (edit,))


def _summed(call: ast.Call) -> ast.expr | None:
    """What a sum is taken of: the receiver of a method, the first argument of a function."""
    if isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name):
        return call.func.value
    return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None


def _is_p_log_p(node: ast.expr | None) -> bool:
    """`p * log(p)`, with or without a small number added inside the logarithm."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    for log, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(log, ast.Call) and called_name(log) in _LOGS:
            method = isinstance(log.func, ast.Attribute) and not log.args
            inner = log.func.value if method else log.args[0] if log.args else None  # type: ignore[attr-defined]
            if inner is not None and any(ast.unparse(t) == ast.unparse(other) for _, t in terms(inner)):
                return True
    return False


def _is_entropy_as_it_is(call: ast.Call, function: Function, program: Program) -> bool:
    sign, top = sign_in_statement(call, function)
    if sign < 0:
        return False
    if isinstance(top, ast.Assign) and len(top.targets) == 1:
        named = words(ast.unparse(top.targets[0]))
        plain = "entropy" in named and not _NEGATIVE.intersection(named)
        return (
            plain and not is_negated(ast.unparse(top.targets[0]), function) and not _returned_negated(function, program)
        )
    if isinstance(top, ast.Return):
        named = words(function.name.rpartition(".")[2])
        if "entropy" not in named or {"cross", "relative", *_NEGATIVE} & set(named):
            return False
        return not _returned_negated(function, program)
    return False


def _returned_negated(function: Function, program: Program) -> bool:
    """Whether a caller turns the sign of what the function returns."""
    for caller, call in program.callers(function):
        sign, top = sign_in_statement(call, caller)
        if sign < 0:
            return True
        targets = top.targets if isinstance(top, ast.Assign) else []
        if any(is_negated(ast.unparse(t), caller) for target in targets for t in getattr(target, "elts", [target])):
            return True
    return False


def _added_bonus(node: ast.Assign, function: Function) -> tuple[ast.BinOp, ast.expr] | None:
    """`loss = policy_loss + c * entropy`, where `entropy` is a distribution's entropy and nothing turns the sign."""
    target = ast.unparse(node.targets[0])
    if "loss" not in words(target) or is_negated(target, function):
        return None
    loaded = {w for n in ast.walk(node.value) if isinstance(n, ast.Name | ast.Attribute) for w in words(ast.unparse(n))}
    if not _POLICY & loaded:
        return None
    for whole in ast.walk(node.value):
        if not isinstance(whole, ast.BinOp) or not isinstance(whole.op, ast.Add) or own_sign(whole.right) < 0:
            continue
        if sign_in_statement(whole.right, function)[0] < 0 or not isinstance(whole.right, ast.BinOp | ast.Name):
            continue
        factors = _factors(whole.right)
        bonus = next((f for f in factors if _is_bonus(f, function)), None)
        if bonus is not None and not any(_may_be_negative(f, function) for f in factors if f is not bonus):
            return whole, bonus
    return None


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _is_bonus(node: ast.expr, function: Function) -> bool:
    """A name for an entropy whose value is `distribution.entropy()`, averaged or not."""
    if not isinstance(node, ast.Name) or "entropy" not in words(node.id) or _NEGATIVE.intersection(words(node.id)):
        return False
    values = [value for _, value in function.assignments(node.id)]
    return bool(values) and all(
        own_sign(v) > 0 and any(isinstance(n, ast.Call) and called_name(n) == "entropy" for n in ast.walk(v)) for v in values
    ) and not any(isinstance(n, ast.UnaryOp) for v in values for n in ast.walk(v))  # fmt: skip


def _may_be_negative(node: ast.expr, function: Function) -> bool:
    if own_sign(node) < 0 or {"neg", "beta"} & set(words(ast.unparse(node))):
        return True
    return any(own_sign(value) < 0 for _, value in function.assignments(ast.unparse(node)))

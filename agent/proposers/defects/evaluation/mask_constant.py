"""Scores that a mask excludes are set to 0, or to a tiny positive number, before a softmax.

Why it hurts: a score of 0 has weight exp(0): masked tokens, padding and excluded choices are drawn and attended to, more
than those with negative scores. Mostly `1e-9` written for `-1e9`. Source: seen in public fix histories.

    before                                              after
    s = s.masked_fill(mask == 0, 1e-9)                  s = s.masked_fill(mask == 0, torch.finfo(s.dtype).min)
    w = F.softmax(s, dim=-1)                            w = F.softmax(s, dim=-1)

Not flagged: probabilities, which are 0 where masked, and scores that go to no softmax in the function.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function


@dataclass(frozen=True, slots=True)
class MaskConstant:
    name: str = "mask_constant"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "masked_fill" not in function.source.text:
                continue
            for call in function.calls:
                owner = receiver(call)
                if called_name(call) not in ("masked_fill", "masked_fill_") or len(call.args) != 2 or owner is None:
                    continue
                if not _is_near_zero(call.args[1]) or not _goes_to_softmax(call, owner, function):
                    continue
                source = function.source
                new = "float('-inf')"
                if isinstance(owner, ast.Name | ast.Attribute) and source.aliases.get("torch") == "torch":
                    new = f"torch.finfo({source.segment(owner)}.dtype).min"
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    "Give masked scores the lowest value before the softmax",
                    f"`{ast.unparse(call)[:80]}` gives what is masked a score of about 0, which a softmax turns into a weight "
                    "like any other.",
                    (function.replace(call, source.spliced(call, call.args[1], new)),),
                    confidence="high",
                )


def _is_near_zero(node: ast.expr) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e-4


def _goes_to_softmax(call: ast.Call, owner: ast.expr, function: Function) -> bool:
    """Whether the next use of what was masked is a softmax, and it was none before."""
    if any(isinstance(n, ast.Call) and called_name(n) in ("softmax", "sigmoid", "exp") for n in ast.walk(owner)):
        return False
    parent = function.source.parents[call]
    if isinstance(parent, ast.Call) and called_name(parent) == "softmax" and parent.args[:1] == [call]:
        return True
    if isinstance(parent, ast.Attribute) and parent.attr == "softmax":
        return True
    statement = function.source.statement(call)
    if isinstance(statement, ast.Assign) and statement.value is call and len(statement.targets) == 1:
        name = ast.unparse(statement.targets[0])
    elif isinstance(statement, ast.Expr) and called_name(call) == "masked_fill_":
        name = ast.unparse(owner)
    else:
        return False
    made = function.last_value(name, call.lineno)
    if made is not None and any(
        isinstance(n, ast.Call) and called_name(n) in ("softmax", "sigmoid") for n in ast.walk(made)
    ):
        return False
    uses = [
        n
        for n in function.own
        if isinstance(n, ast.Name | ast.Attribute)
        and ast.unparse(n) == name
        and isinstance(n.ctx, ast.Load)
        and n.lineno > (statement.end_lineno or 0)
    ]
    first = min(uses, key=lambda n: (n.lineno, n.col_offset), default=None)
    user = function.source.parents[first] if first is not None else None
    if isinstance(user, ast.Attribute):
        return user.attr == "softmax"
    return isinstance(user, ast.Call) and called_name(user) == "softmax"

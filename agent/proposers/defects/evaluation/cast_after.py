"""A result is cast to full precision after the operation that needed it.

Why it hurts: the softmax or the loss was summed in 16 bits; the cast keeps the rounding and only looks like care. The
loss is off by a small steady amount that grows with length and vocabulary. Source: seen in public fix histories.

    before                                          after
    F.softmax(scores, dim=-1).float()               F.softmax(scores.float(), dim=-1)

Not flagged: inputs that are cast already or a `dtype` argument, and casts of what is not summed over.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function

_SUMS = frozenset({"softmax", "log_softmax", "logsumexp", "cross_entropy", "logcumsumexp"})
_WIDE = frozenset({"torch.float32", "torch.float", "torch.float64"})


@dataclass(frozen=True, slots=True)
class CastAfter:
    name: str = "cast_after"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "torch" not in function.source.text:
                continue
            for call in function.calls:
                inner = receiver(call)
                if not isinstance(inner, ast.Call) or called_name(inner) not in _SUMS or not _is_cast(call, function):
                    continue
                given = _input(inner, function)
                if given is None or _is_wide(inner, given):
                    continue
                source = function.source
                cast, old = source.text[source.span(inner)[1] : source.span(call)[1]], source.segment(given)
                plain = isinstance(given, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
                new = f"{old}{cast}" if plain else f"({old}){cast}"
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    f"Cast what {called_name(inner)} reads, not what it gives"[:72],
                    f"`{ast.unparse(call)[:80]}` is computed in the precision of `{ast.unparse(given)[:40]}` and cast afterwards.",
                    (function.replace(call, source.spliced(inner, given, new)),),
                    confidence="medium",
                )


def _is_cast(call: ast.Call, function: Function) -> bool:
    if called_name(call) == "float":
        return not call.args and not call.keywords
    wide = [*call.args, *(k.value for k in call.keywords)]
    return called_name(call) == "to" and len(wide) == 1 and function.source.full(wide[0]) in _WIDE


def _input(call: ast.Call, function: Function) -> ast.expr | None:
    full = function.source.full(call.func)
    if full.startswith(("torch.nn.functional.", "torch.")) or "." not in full:
        return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None
    return receiver(call)


def _is_wide(call: ast.Call, given: ast.expr) -> bool:
    text = ast.unparse(given)
    return any(k.arg in ("dtype", None) for k in call.keywords) or any(
        m in text for m in (".float()", "float32", ".double()")
    )

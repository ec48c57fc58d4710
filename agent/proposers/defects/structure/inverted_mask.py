"""A mask of the other polarity: what is to be kept is hidden, and what is to be hidden is kept.

Why it hurts: attention sees the padding, or the future, and nothing else. The loss may even fall faster, because the
answer is in sight; the model is worthless where it is not. PyTorch itself is of two minds: `nn.MultiheadAttention` and
`nn.Transformer` hide where a mask is true, `scaled_dot_product_attention` keeps there. Source: seen in public fix
histories.

    before                                          after
    mask = torch.tril(torch.ones(t, t))             mask = torch.tril(torch.ones(t, t))
    s = s.masked_fill(mask == 1, -inf)              s = s.masked_fill(mask == 0, -inf)

    enc(x, src_key_padding_mask=(x != pad))         enc(x, src_key_padding_mask=(x == pad))

Silent: masks whose making is not in sight, or is seen in two polarities.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function
from .found import at
from .mask_after_softmax import is_minus_infinity
from .signs import number

_PADDING = ("key_padding_mask", "src_key_padding_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
_CASTS = frozenset("bool float to int long byte unsqueeze view expand type_as repeat type cuda".split())


@dataclass(frozen=True, slots=True)
class InvertedMask:
    name: str = "inverted_mask"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                yield from self._filled(call, function, program)
                yield from self._padding(call, function, program)

    def _filled(self, call: ast.Call, function: Function, program: Program) -> Iterable[Finding]:
        if called_name(call) not in ("masked_fill", "masked_fill_") or len(call.args) != 2:
            return
        if not is_minus_infinity(call.args[1]):
            return
        condition = call.args[0]
        if _keeps(condition, function, program) is True:
            new = function.source.segment(call.func) + f"({_opposite(condition, function)}, "
            new += function.source.segment(call.args[1]) + ")"
            why = f"`{ast.unparse(condition)}` is true where attention is allowed, and those places get minus infinity."
            found = at(self.name, function, call, "Hide what the mask excludes, not what it keeps", why,
                       (function.replace(call, new),))  # fmt: skip
            yield replace(found, confidence="high")

    def _padding(self, call: ast.Call, function: Function, program: Program) -> Iterable[Finding]:
        for name in _PADDING:
            given = keyword_of(call, name)
            if given is None or not _is_torch_attention(call, function, program):
                continue
            if _keeps(given, function, program) is True:
                edit = function.set_keyword(call, name, _opposite(given, function))
                why = f"`{name}` hides where it is true, and `{ast.unparse(given)}` is true for the items to be seen."
                found = at(self.name, function, call, f"Give {name} the padding, not the rest", why, (edit,))
                yield replace(found, confidence="high")


def _is_torch_attention(call: ast.Call, function: Function, program: Program) -> bool:
    """Whether a layer of `torch.nn` is called; the program's own layers may read a mask as they like."""
    values = [(v, f) for v, f in program.values(call.func, function) if isinstance(v, ast.Call)]
    marks = ("MultiheadAttention", "TransformerEncoder", "TransformerDecoder", "Transformer", "TransformerEncoderLayer",
             "TransformerDecoderLayer")  # fmt: skip
    return bool(values) and all(f.source.full(v.func) in {f"torch.nn.{mark}" for mark in marks} for v, f in values)


def _keeps(node: ast.expr, function: Function, program: Program, depth: int = 6) -> bool | None:
    """True for a mask that is true where items are kept, False for one that is true where they are hidden."""
    if depth == 0:
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
        return _not(_keeps(node.operand, function, program, depth - 1))
    if isinstance(node, ast.Subscript):
        return _keeps(node.value, function, program, depth - 1)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _of_comparison(node, function, program, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and number(node.left) == 1:
        return _not(_keeps(node.right, function, program, depth - 1))
    if isinstance(node, ast.Call):
        return _of_call(node, function, program, depth)
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    found = [(v, f) for v, f in _made(node, function, program)]
    seen = {_keeps(value, home, program, depth - 1) if value is not node else None for value, home in found}
    return seen.pop() if len(seen) == 1 else None


def _made(node: ast.Name | ast.Attribute, function: Function, program: Program) -> list[tuple[ast.expr, Function]]:
    """The values of a name above its use; of an attribute, those given to it or registered as a buffer."""
    if isinstance(node, ast.Name):
        value = function.last_value(node.id, node.lineno)
        if value is not None:
            several = len(function.assignments(node.id)) > 1
            return [] if several else [(value, function)]
        return list(program.values(node, function))
    found = list(program.values(node, function))
    if found or function.owner is None or ast.unparse(node.value) != "self":
        return found
    for method in function.source.functions:
        if method.owner is function.owner:
            for call in method.calls:
                if called_name(call) != "register_buffer" or len(call.args) < 2:
                    continue
                if isinstance(call.args[0], ast.Constant) and call.args[0].value == node.attr:
                    found.append((call.args[1], method))
    return found


def _of_comparison(node: ast.Compare, function: Function, program: Program, depth: int) -> bool | None:
    right, equal = node.comparators[0], isinstance(node.ops[0], ast.Eq | ast.Is)
    if not equal and not isinstance(node.ops[0], ast.NotEq | ast.IsNot):
        return None
    if "pad" in ast.unparse(right).lower():  # ids == pad: true where items are to be hidden
        return not equal
    value = right.value if isinstance(right, ast.Constant) else None
    if value not in (0, 1):
        return None
    inner = _keeps(node.left, function, program, depth - 1)
    return inner if bool(value) is equal else _not(inner)


def _of_call(node: ast.Call, function: Function, program: Program, depth: int) -> bool | None:
    name = called_name(node)
    if name in ("tril", "triu"):
        operand = (
            node.args[0] if function.source.full(node.func).startswith(("torch.", "numpy.")) and node.args else None
        )
        if operand is None and isinstance(node.func, ast.Attribute):
            operand = node.func.value
        if not isinstance(operand, ast.Call) or called_name(operand) != "ones":
            return None
        return _of_triangle(node, name)
    if name in _CASTS and isinstance(node.func, ast.Attribute):
        return _keeps(node.func.value, function, program, depth - 1)
    if name == "logical_not" and node.args:
        return _not(_keeps(node.args[0], function, program, depth - 1))
    return None


def _of_triangle(node: ast.Call, name: str) -> bool | None:
    """The lower triangle keeps the past; the upper one without the diagonal hides the future."""
    given = keyword_of(node, "diagonal") or (keyword_of(node, "k")) or (node.args[-1] if len(node.args) > 1 else None)
    diagonal = number(given) if given is not None else 0
    if name == "tril":
        return True if diagonal == 0 else None
    return False if diagonal == 1 else None


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _opposite(node: ast.expr, function: Function) -> str:
    """The source of the negated condition, as short as it can be said."""
    source = function.source
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        return source.segment(node.operand)
    if isinstance(node, ast.Compare):
        right = node.comparators[0]
        if number(right) in (0, 1):
            sign = "==" if isinstance(node.ops[0], ast.Eq) else "!="
            return f"{source.segment(node.left)} {sign} {1 - int(number(right) or 0)}"
        sign = "!=" if isinstance(node.ops[0], ast.Eq) else "=="
        return f"{source.segment(node.left)} {sign} {source.segment(right)}"
    return f"{source.segment(node)} == 0"

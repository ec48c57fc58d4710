"""The mean of a masked product, which divides by what was masked away too.

Why it hurts: `(loss * mask).mean()` counts padded positions as zeros. A batch with much padding gets a small loss and
small steps, the loss depends on how long the longest example happens to be, and pooled embeddings shrink with padding.
Source: seen in public fix histories (wrong normaliser).

    before                                          after
    (loss * mask).mean()                            (loss * mask).sum() / mask.expand_as(loss).sum().clamp(min=1)

Silent: products that are divided by the mask later, masks that are random or weights, and masks made for something else
than leaving items out.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words
from .found import at

_MASKS = frozenset("mask masks".split())
_LOSSES = frozenset(
    "loss losses nll ce bce mse error err kl logp logprob logprobs hidden embeddings embedding emb".split()
)
_OTHER = frozenset(
    "random rand bernoulli dropout drop weight weights attn causal bg fg object obj face patch prob".split()
)
_RESHAPES = frozenset("float unsqueeze to type_as view expand expand_as long half double bool int type squeeze".split())


@dataclass(frozen=True, slots=True)
class MaskedMean:
    name: str = "masked_mean"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not any(full.startswith("torch") for full in function.source.aliases.values()):
                continue
            for call in function.calls:
                product = _product(call, function)
                if product is None:
                    continue
                value, mask = product
                if _is_normalised(call, function) or _is_made_at_random(mask, function):
                    continue
                yield self._finding(call, value, mask, function)

    def _finding(self, call: ast.Call, value: ast.expr, mask: ast.expr, function: Function) -> Finding:
        source = function.source
        x, m = source.segment(value), source.segment(mask)
        x = x if isinstance(value, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({x})"
        m = m if isinstance(mask, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({m})"
        given = ", ".join(source.segment(a) for a in (*_dimensions(call, function), *call.keywords))
        new = f"(({x} * {m}).sum({given}) / {m}.expand_as({x}).sum({given}).clamp(min=1))"
        why = f"`{ast.unparse(mask)}` turns items to zero, and the mean counts them: it shrinks with the share of padding."
        edit = function.replace(call, new)
        return replace(at(self.name, function, call, "Divide by the number of items that count", why, (edit,)))


def _dimensions(call: ast.Call, function: Function) -> list[ast.expr]:
    return call.args[1:] if function.source.full(call.func) == "torch.mean" else call.args


def _product(call: ast.Call, function: Function) -> tuple[ast.expr, ast.expr] | None:
    """What is averaged, and the mask it is multiplied by."""
    if called_name(call) != "mean" or not isinstance(call.func, ast.Attribute):
        return None
    whole = call.args[0] if function.source.full(call.func) == "torch.mean" and call.args else call.func.value
    if not isinstance(whole, ast.BinOp) or not isinstance(whole.op, ast.Mult) or keyword_of(call, "keepdim"):
        return None
    for value, mask in ((whole.left, whole.right), (whole.right, whole.left)):
        name, what = _plain(mask), set(words(_plain(value)))
        if not _MASKS & set(words(name)) or _OTHER & set(words(name)) or _MASKS & what:
            continue
        if what & _LOSSES and _covers(value, function):
            return value, mask
    return None


def _plain(node: ast.expr) -> str:
    """The name under reshaping and casts; empty for anything but a name."""
    while True:
        if isinstance(node, ast.Call) and called_name(node) in _RESHAPES and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _covers(value: ast.expr, function: Function) -> bool:
    """Whether the value has one entry an item, as far as is written: not a loss that is a mean already."""
    values = [v for _, v in function.assignments(_plain(value))]
    calls = [n for v in values for n in ast.walk(v) if isinstance(n, ast.Call)]
    return not any(called_name(c) in ("mean", "sum") and not c.args and not c.keywords for c in calls)


def _is_normalised(call: ast.Call, function: Function) -> bool:
    """Whether the statement divides by the mask, or multiplies by the share it leaves."""
    statement = function.source.statement(call)
    target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    for node in function.own:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            left, right = ast.unparse(node.left), set(words(_names(node.right)))
            if (call in ast.walk(node.left) or (target and target in left)) and (_MASKS | {"valid", "num"}) & right:
                return True
    return False


def _names(node: ast.expr) -> str:
    return "_".join(ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute))


def _is_made_at_random(mask: ast.expr, function: Function) -> bool:
    values = [ast.unparse(v) for _, v in function.assignments(_plain(mask))]
    return any(any(mark in text for mark in ("rand", "bernoulli", "topk", "full(")) for text in values)

"""Attention scores scaled twice, or scaled up in place of down.

Why it hurts: scores that are divided by the root of the width twice are nearly equal, and attention averages everything;
multiplied by it they are so far apart that the softmax picks one position and passes no gradient. Training goes on,
slower and lower. Source: seen in public fix histories; Vaswani et al. 2017, section 3.2.1.

    before                                          after
    q = q * self.scale                              q = q * self.scale
    F.scaled_dot_product_attention(q, k, v)         F.scaled_dot_product_attention(q, k, v, scale=1.0)

    (q @ k.transpose(-2, -1)) * math.sqrt(d)        (q @ k.transpose(-2, -1)) / math.sqrt(d)

Silent: a scale that is given, queries that are normalised, and factors that are no root of a width.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words
from .found import also, at
from .signs import number


@dataclass(frozen=True, slots=True)
class AttentionScale:
    name: str = "attention_scale"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if (
                    called_name(call) == "scaled_dot_product_attention"
                    and (factor := _scaled_query(call, function)) is not None
                ):
                    yield self._twice(call, factor, function)
            for node in function.own:
                if (
                    isinstance(node, ast.BinOp)
                    and isinstance(node.op, ast.Mult)
                    and _is_scores_times_root(node, function)
                ):
                    yield self._up(node, function)

    def _twice(self, call: ast.Call, factor: ast.AST, function: Function) -> Finding:
        why = f"The query is scaled on line {getattr(factor, 'lineno', 0)}, and this function scales by the root of the width again."
        edit = function.set_keyword(call, "scale", "1.0")
        found = at(self.name, function, call, "Scale the attention scores once", why, (edit,))
        return replace(found, confidence="high", evidence=(also(function, factor, "scaled here"),))

    def _up(self, node: ast.BinOp, function: Function) -> Finding:
        left, right = function.source.segment(node.left), function.source.segment(node.right)
        left = left if isinstance(node.left, ast.Name | ast.Call) else f"({left})"
        why = f"Scores grow with the root of the width; multiplied by `{right}` they grow with the width itself."
        edit = function.replace(node, f"{left} / {right}")
        return replace(
            at(self.name, function, node, "Divide the scores by the root of the width", why, (edit,)), confidence="high"
        )


def _scaled_query(call: ast.Call, function: Function) -> ast.AST | None:
    """The statement that scales the query before it is handed over; None if none does or a scale is given."""
    if any(k.arg in (None, "scale") for k in call.keywords) or len(call.args) > 6:
        return None
    query = call.args[0] if call.args else keyword_of(call, "query")
    if isinstance(query, ast.BinOp):
        return query if _scales(query, "") else None
    if not isinstance(query, ast.Name):
        return None
    last: ast.AST | None = None
    for node in function.own:
        if getattr(node, "lineno", 0) >= call.lineno or _in_other_branch(node, call, function):
            continue
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == query.id:
            last = (
                node
                if isinstance(node.op, ast.Mult | ast.Div) and _is_root(node.value, isinstance(node.op, ast.Div))
                else last
            )
        elif isinstance(node, ast.Assign) and query.id in [ast.unparse(t) for t in node.targets]:
            if isinstance(node.value, ast.BinOp) and _scales(node.value, query.id):
                last = node
            elif query.id not in {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}:
                last = None
    return last


def _in_other_branch(node: ast.AST, call: ast.Call, function: Function) -> bool:
    """Whether a condition holds the node that does not hold the call: then both need not run."""
    around = {id(a) for a in function.source.ancestors(call)}
    for above in function.source.ancestors(node):
        if above is function.node:
            return False
        if isinstance(above, ast.If | ast.Try | ast.For | ast.While) and id(above) not in around:
            return True
        if isinstance(above, ast.If) and id(above) in around:
            return _branch(node, above, function) != _branch(call, above, function)
    return False


def _branch(node: ast.AST, condition: ast.If, function: Function) -> str:
    chain = [node, *function.source.ancestors(node)]
    below = chain[chain.index(condition) - 1]
    return "body" if below in condition.body else "orelse"


def _scales(node: ast.BinOp, name: str) -> bool:
    if not isinstance(node.op, ast.Mult | ast.Div) or (name and ast.unparse(node.left) != name):
        return False
    return _is_root(node.right, isinstance(node.op, ast.Div))


def _is_root(node: ast.expr, divides: bool) -> bool:
    """A factor that makes scores smaller by the root of a width: `self.scale`, `d ** -0.5`, or `/ sqrt(d)`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return number(node.right) == (0.5 if divides else -0.5)
    if isinstance(node, ast.Call):
        return divides and called_name(node) == "sqrt"
    named = words(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else ()
    return (
        not divides
        and named[-1:] in (("scale",), ("scaling",))
        and not {"logit", "learned", "temperature"} & set(named)
    )


def _is_scores_times_root(node: ast.BinOp, function: Function) -> bool:
    """`(q @ k.T) * sqrt(d)`."""
    if not any(called_name(call) in ("softmax", "Softmax") for call in function.calls):
        return False
    right = node.right
    up = (isinstance(right, ast.Call) and called_name(right) == "sqrt") or (
        isinstance(right, ast.BinOp) and isinstance(right.op, ast.Pow) and number(right.right) == 0.5
    )
    if not up:
        return False
    left: ast.expr | None = node.left
    if isinstance(left, ast.Name):
        left = function.last_value(left.id, node.lineno)
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.MatMult):
        text = ast.unparse(left.right)
    elif isinstance(left, ast.Call) and called_name(left) in ("matmul", "bmm"):
        text = ast.unparse(left)
    else:
        return False
    return ("transpose" in text or "mT" in text or ".T" in text or "permute" in text) and "normalize" not in text

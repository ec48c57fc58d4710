"""The sign an expression has in the whole it is part of, read from minus signs and negative numbers alone."""

import ast
from collections.abc import Iterator

from ..program import called_name
from ..source import Function

_KEEPS_SIGN = frozenset("sum mean nansum nanmean float double squeeze view reshape flatten item to cpu detach".split())


def terms(node: ast.expr, sign: int = 1) -> Iterator[tuple[int, ast.expr]]:
    """The summands of an expression with their signs: `1 + a - b` gives (1, 1), (1, a), (-1, b)."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from terms(node.left, sign)
        yield from terms(node.right, sign if isinstance(node.op, ast.Add) else -sign)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        yield from terms(node.operand, -sign if isinstance(node.op, ast.USub) else sign)
    else:
        yield sign, node


def number(node: ast.expr) -> float | None:
    """The value of a literal number, a minus before it included."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def own_sign(node: ast.expr) -> int:
    """-1 for `-x`, `-x * y`, `x * -1`; 1 for what shows no minus."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -own_sign(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return own_sign(node.left) * own_sign(node.right)
    value = number(node) if isinstance(node, ast.Constant) else None
    return -1 if value is not None and value < 0 else 1


def sign_in_statement(node: ast.expr, function: Function) -> tuple[int, ast.AST]:
    """The sign with which a node enters its statement, and the last node above it for which that is known."""
    below: ast.AST = node
    sign = 1
    for above in function.source.ancestors(node):
        if isinstance(above, ast.UnaryOp) and isinstance(above.op, ast.USub):
            sign = -sign
        elif isinstance(above, ast.BinOp) and isinstance(above.op, ast.Mult | ast.Div):
            other = above.right if above.left is below else above.left
            sign *= own_sign(other)
        elif isinstance(above, ast.BinOp) and isinstance(above.op, ast.Sub) and above.right is below:
            sign = -sign
        elif (
            (isinstance(above, ast.BinOp) and isinstance(above.op, ast.Add | ast.Sub))
            or isinstance(above, ast.Attribute)
            or (isinstance(above, ast.Call) and called_name(above) in _KEEPS_SIGN)
        ):
            pass
        else:
            return sign, above
        below = above
    return sign, below


def is_negated(name: str, function: Function) -> bool:
    """Whether the function anywhere uses a name with a minus before it, or multiplied by a negative number."""
    for node in function.everything:
        if not isinstance(node, ast.Name | ast.Attribute) or ast.unparse(node) != name:
            continue
        if isinstance(getattr(node, "ctx", None), ast.Store):
            above = function.source.parents.get(node)
            if isinstance(above, ast.AugAssign) and isinstance(above.op, ast.Mult):
                return True
            continue
        sign, top = sign_in_statement(node, function)
        if sign < 0 or (isinstance(top, ast.AugAssign) and isinstance(top.op, ast.Sub)):
            return True
    return False

"""Whether a function changes what a name holds in place: `x.append(...)`, `x[k] = v`, `x += [...]`, `del x[k]`."""

import ast
from collections.abc import Iterator

from ..program import called_name, receiver
from ..source import Function

CHANGERS = frozenset(
    "append extend insert update setdefault add pop popitem clear remove discard sort reverse appendleft".split()
)


def changed_in_place(function: Function) -> Iterator[tuple[ast.expr, ast.stmt]]:
    """What a function's own statements change, as it is written: `x` of `x.append(1)`, `x[0]` of `x[0][1] = 2`."""
    source = function.source
    for node in function.own:
        if isinstance(node, ast.Call):
            owner = receiver(node)
            if owner is not None and called_name(node) in CHANGERS:
                yield owner, source.statement(node)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.value, source.statement(node)
        elif isinstance(node, ast.AugAssign) and isinstance(node.value, ast.List | ast.Set | ast.Dict | ast.ListComp):
            yield node.target, node


def is_mutable_literal(node: ast.expr) -> bool:
    """A list, dict or set as it is written: `[]`, `{}`, `set()`, `[0] * n`."""
    match node:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name("list" | "dict" | "set" | "deque" | "OrderedDict" | "Counter")):
            return True
        case ast.BinOp(left=ast.List(), op=ast.Mult()):
            return True
    return False

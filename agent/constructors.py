"""What a constructor is given: its parameters' defaults, and the arguments of one call, as far as the text says."""

import ast
from collections.abc import Iterable

from .static_values import Unknown, value_of

Names = dict[str, object]


MAX_ITEMS = 10_000


def items_of(source: ast.expr, names: Names) -> tuple[object, ...] | range | None:
    """What a loop over `source` goes through; None when the text does not say."""
    if isinstance(source, ast.Call) and last(source.func) == "range" and not source.keywords:
        bounds = [value_of(argument, names) for argument in source.args]
        whole = [bound for bound in bounds if isinstance(bound, int)]
        if not 1 <= len(whole) <= 3 or len(whole) < len(bounds) or (len(whole) == 3 and not whole[2]):
            return None
        found = range(*whole)
        return found if len(found) <= MAX_ITEMS else None
    value = value_of(source, names)
    return value if isinstance(value, tuple) else None


def assigned(body: Iterable[ast.stmt]) -> set[str]:
    """Names and attributes that statements give a value."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    return {ast.unparse(n) for n in nodes if isinstance(n, ast.Name | ast.Attribute) and isinstance(n.ctx, ast.Store)}


def used(body: Iterable[ast.AST]) -> set[str]:
    """Names and attributes that are read."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    return {ast.unparse(n) for n in nodes if isinstance(n, ast.Name | ast.Attribute) and isinstance(n.ctx, ast.Load)}


def constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    wanted = (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name in ("__init__", "setup"))
    return next(wanted, None)


def defaults(made_by: ast.FunctionDef | None) -> Names:
    """Parameters by name: the default where there is one, else unknown."""
    if made_by is None:
        return {}
    args = made_by.args
    plain = [*args.posonlyargs, *args.args]
    names: Names = {one.arg: Unknown(one.arg) for one in (*plain, *args.kwonlyargs)}
    for one, default in zip(reversed(plain), reversed(args.defaults), strict=False):
        names[one.arg] = value_of(default, {})
    for one, given in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if given is not None:
            names[one.arg] = value_of(given, {})
    return names


def bound(made_by: ast.FunctionDef | None, call: ast.Call, names: Names) -> Names:
    """Parameters of a constructor by name, as one call gives them."""
    found = defaults(made_by)
    order = [name for name in found if name != "self"]
    if starred(call):
        return {name: Unknown(name) for name in found}
    found |= {name: value_of(argument, names) for name, argument in zip(order, call.args, strict=False)}
    return found | {k.arg: value_of(k.value, names) for k in call.keywords if k.arg}


def starred(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args) or any(k.arg is None for k in call.keywords)


def option(call: ast.Call) -> tuple[str, object] | None:
    """Name and default of an option of argparse."""
    flags = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    default = next((k.value for k in call.keywords if k.arg == "default"), None)
    if not flags or default is None:
        return None
    long = next((flag for flag in flags if flag.startswith("--")), flags[0])
    return long.lstrip("-").replace("-", "_"), value_of(default, {})


def last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def written(call: ast.Call) -> str:
    words = [ast.unparse(argument) for argument in call.args]
    words += [f"{k.arg}={ast.unparse(k.value)}" if k.arg else f"**{ast.unparse(k.value)}" for k in call.keywords]
    return " ".join(", ".join(words).split())[:80]


def root(node: ast.expr) -> str:
    """The first name of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""

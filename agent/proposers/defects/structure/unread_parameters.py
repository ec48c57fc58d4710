"""Parameters of a function that nothing in it reads, and that no interface asks it to accept."""

import ast
from collections.abc import Iterable

from ..program import Program, called_name
from ..source import Function

_FRAMES = frozenset("locals vars save_hyperparameters store_attr getargvalues currentframe eval exec".split())
_EXCUSED = ("unused", "not used", "ignored", "deprecated", "no effect", "compat", "reserved", "placeholder", "noqa")


def unread(function: Function, program: Program) -> list[str]:
    """Parameters with a default that are never read; none for a function that is told by others what to accept."""
    if isinstance(function.node, ast.Module) or not defaults(function) or _is_stub(function):
        return []
    loaded = {n.id for n in function.everything if isinstance(n, ast.Name)}
    found = [p for p in defaults(function) if p not in loaded and not p.startswith("_") and p not in ("self", "cls")]
    if not found or _FRAMES & {called_name(c) for c in function.calls}:
        return []
    if "super" in loaded and any(k.arg is None for c in function.calls for k in c.keywords):
        return []
    text = " ".join(function.source.lines[function.node.lineno - 1 : function.node.end_lineno]).lower()
    if any(word in text for word in _EXCUSED) or _follows_an_interface(function, program):
        return []
    return found


def defaults(function: Function) -> dict[str, ast.expr]:
    """The default of each parameter that has one."""
    if isinstance(function.node, ast.Module):
        return {}
    args = function.node.args
    plain = [*args.posonlyargs, *args.args]
    found = dict(zip([a.arg for a in plain[len(plain) - len(args.defaults) :]], args.defaults, strict=True))
    found |= {a.arg: d for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None}
    return found


def _is_stub(function: Function) -> bool:
    """A body that does nothing, or only says that it is not to be called."""
    body = [s for s in function.node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return all(isinstance(s, ast.Pass | ast.Raise) for s in body) or (
        len(body) == 1
        and isinstance(body[0], ast.Return)
        and (body[0].value is None or isinstance(body[0].value, ast.Constant | ast.Name))
    )


def _follows_an_interface(function: Function, program: Program) -> bool:
    """Whether a base, a sibling of the same name, a decorator or a registry fixes the signature."""
    if isinstance(function.node, ast.Module) or function.node.decorator_list:
        return True
    name = function.name.rpartition(".")[2]
    if function.owner is None:
        return False
    if name == "__init__":
        return False
    bases = [
        b for b in program.bases(function.owner, function.source) if b not in ("object", "torch.nn.Module", "nn.Module")
    ]
    return bool(bases) or name.startswith("__") or len(list(_of_that_name(name, function, program))) > 1


def _of_that_name(name: str, function: Function, program: Program) -> Iterable[Function]:
    return (f for f in program.functions if f.owner is not None and f.name.rpartition(".")[2] == name)

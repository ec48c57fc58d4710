"""A keyword argument that the callee does not take, or that its `**kwargs` swallows.

Why it hurts: without `**kwargs` the call fails, often only in the branch that runs after hours of training. With them,
a misspelt `drop_out=0.3` is accepted and lost: the run is one with the default. Source: OS (the largest single gain came
from one misnamed argument); defects4ml (API use, 8 of 70).

    before                                          after
    Net(dim=64, drop_out=0.3)                       Net(dim=64, dropout=0.3)

    # Net.__init__(self, dim, dropout=0.1, **kwargs), which never reads kwargs

Silent: callees that are not certain, decorated or chosen at run time, and swallowed keywords that resemble no parameter.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, Source
from .found import also, at
from .parameter_not_forwarded import target

_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class UnknownKeyword:
    name: str = "unknown_keyword"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                names = [k.arg for k in call.keywords if k.arg is not None]
                if not names:
                    continue
                callee = _certain(call, function, program)
                if callee is None or isinstance(callee.node, ast.Module):
                    continue
                swallowed = callee.node.args.kwarg
                unknown = [name for name in names if name not in _accepted(callee)]
                if not unknown or (swallowed is not None and _reads(callee, swallowed.arg)):
                    continue
                for name in unknown:
                    meant = _meant(name, names, callee)
                    if swallowed is None or meant:
                        yield self._finding(call, name, meant, callee, function)

    def _finding(self, call: ast.Call, name: str, meant: str, callee: Function, function: Function) -> Finding:
        lost = not isinstance(callee.node, ast.Module) and callee.node.args.kwarg is not None
        takes = ", ".join(sorted(_accepted(callee))[:8])
        why = f"`{called_name(call)}` has no parameter `{name}`; "
        why += f"its **kwargs takes it and nobody reads them. It takes {takes}." if lost else f"it takes {takes}."
        edits = (_renamed(call, name, meant, function),) if meant else ()
        title = (
            f"Call {called_name(call)} with {meant}, not {name}" if meant else f"Do not give {called_name(call)} {name}"
        )
        found = at(self.name, function, call, title, why, edits)
        return replace(found, confidence="high", evidence=(also(callee, callee.node, "the signature"),))


def _certain(call: ast.Call, function: Function, program: Program) -> Function | None:
    """The one function of the program that is called, if nothing stands between the call and its signature."""
    callee = target(call, function, program)
    if callee is None or isinstance(callee.node, ast.Module) or callee.node.decorator_list:
        return None
    if isinstance(call.func, ast.Name):
        found = program.find_class(call.func.id, function.source)
        if found is not None and not _constructs_plainly(*found, program):
            return None
        if found is None and callee.source is not function.source and call.func.id not in function.source.aliases:
            return None
        if _is_bound_again(call.func.id, function.source):
            return None
    return callee


def _constructs_plainly(owner: ast.ClassDef, source: Source, program: Program) -> bool:
    """Whether calling the class calls its `__init__`: no decorator, metaclass, `__new__` or unknown base in between."""
    if owner.decorator_list or owner.keywords or program.method(owner, source, "__new__") is not None:
        return False
    own = [f for f in source.functions if f.owner is owner and f.name.rpartition(".")[2] == "__init__"]
    return len(own) == 1


def _is_bound_again(name: str, source: Source) -> bool:
    """Whether a module gives the name several meanings, one of which may be called."""
    count = sum(
        (isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and n.name == name)
        or (isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store))
        or (isinstance(n, ast.alias) and (n.asname or n.name) == name)
        or (isinstance(n, ast.arg) and n.arg == name)
        for n in ast.walk(source.tree)
    )
    return count > 1


def _accepted(callee: Function) -> set[str]:
    names = set(callee.parameters) - {"self", "cls"}
    if not isinstance(callee.node, ast.Module):
        names -= {a.arg for a in callee.node.args.posonlyargs}
    return names


def _reads(callee: Function, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in callee.everything) or any(
        called_name(c) in ("locals", "vars", "save_hyperparameters") for c in callee.calls
    )


def _meant(name: str, given: list[str], callee: Function) -> str:
    free = [one for one in _accepted(callee) if one not in given]
    flat = {one.replace("_", "").lower(): one for one in free}
    if name.replace("_", "").lower() in flat:
        return flat[name.replace("_", "").lower()]
    close = get_close_matches(name, free, 1, _ALIKE)
    return close[0] if close and len(name) > 3 else ""


def _renamed(call: ast.Call, name: str, meant: str, function: Function) -> Edit:
    source = function.source
    keyword = next(k for k in call.keywords if k.arg == name)
    text, func = source.segment(call), source.segment(call.func)
    old = source.segment(keyword)
    new = meant + old[len(name) :]
    return function.replace(call, func + text[len(func) :].replace(old, new, 1))

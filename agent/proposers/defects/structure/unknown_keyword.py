"""A keyword argument that the callee does not take, or that its `**kwargs` swallows.

Why it hurts: without `**kwargs` the call fails, often only in the branch that runs after hours of training. With them,
a misspelt `drop_out=0.3` is accepted and lost: the run is one with the default. Source: OS (the largest single gain came
from one misnamed argument); defects4ml (API use, 8 of 70).

    before                                          after
    Net(dim=64, drop_out=0.3)                       Net(dim=64, dropout=0.3)

    # Net.__init__(self, dim, dropout=0.1, **kwargs), which never reads kwargs

Callees are functions of the program, and those of installed packages whose source may be read.

Silent: callees that are not certain, decorated or chosen at run time, and swallowed keywords that resemble no parameter.
"""

import ast
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..signatures import Signature
from ..source import Function, Source
from .found import also, at
from .parameter_not_forwarded import target

_ALIKE = 0.75


@dataclass(frozen=True, slots=True)
class UnknownKeyword:
    name: str = "unknown_keyword"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                names = [k.arg for k in call.keywords if k.arg is not None]
                if not names:
                    continue
                if (foreign := _installed(call, function, program)) is not None:
                    yield from self._of_installed(call, names, foreign, function)
                    continue
                callee = _certain(call, function, program)
                if callee is None or isinstance(callee.node, ast.Module):
                    continue
                swallowed = callee.node.args.kwarg
                unknown = [name for name in names if name not in _accepted(callee)]
                if not unknown or (swallowed is not None and _reads(callee, swallowed.arg)):
                    continue
                meant = {name: _meant(name, names, _accepted(callee)) for name in unknown}
                for name in unknown:
                    if meant[name] or (swallowed is None and not any(meant.values())):
                        yield self._finding(call, name, meant[name], callee, function)
                        break  # one finding a call

    def _of_installed(
        self, call: ast.Call, names: list[str], takes: Signature, function: Function
    ) -> Iterable[Finding]:  # fmt: skip
        unknown = [name for name in names if name not in takes.keywords]
        if not unknown or takes.takes_any:
            return
        name, callee = unknown[0], function.source.full(call.func)
        meant = _meant(name, names, takes.keywords)
        why = f"`{callee}` as it is installed takes {', '.join(sorted(takes.keywords)[:8])}, not `{name}`."
        title = (
            f"Call {called_name(call)} with {meant}, not {name}" if meant else f"Do not give {called_name(call)} {name}"
        )
        edits = (_renamed(call, name, meant, function),) if meant else ()
        yield replace(at(self.name, function, call, title, why, edits), confidence="high")

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
    if isinstance(call.func, ast.Name) and callee.owner is not None:
        defined = program.definition(call.func.id, function.source)
        if defined is None or not _constructs_plainly(callee.owner, *defined, program):
            return None
    return callee


def _installed(call: ast.Call, function: Function, program: Program) -> Signature | None:
    """The signature of what is called, where that is something imported from an installed package."""
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    source = function.source
    if not isinstance(root, ast.Name) or root.id not in source.aliases or source.bindings[root.id] > 1:
        return None
    if source.aliases[root.id].startswith(".") or program.is_own(source.aliases[root.id], source):
        return None
    return program.signatures.of(source.full(call.func))


def _constructs_plainly(owner: ast.ClassDef, name: str, source: Source, program: Program) -> bool:
    """Whether calling the class calls its own `__init__`: nothing inherited, decorated or made by a metaclass."""
    if owner.name != name or owner not in source.classes:
        return False  # the constructor is a base's: another base may stand before it
    return not owner.decorator_list and not owner.keywords and program.method(owner, source, "__new__") is None


def _accepted(callee: Function) -> set[str]:
    names = set(callee.parameters[1:] if callee.owner is not None else callee.parameters)
    if not isinstance(callee.node, ast.Module):
        names -= {a.arg for a in callee.node.args.posonlyargs}
    return names


def _reads(callee: Function, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in callee.everything) or any(
        called_name(c) in ("locals", "vars", "save_hyperparameters") for c in callee.calls
    )


def _meant(name: str, given: list[str], accepted: AbstractSet[str]) -> str:
    free = sorted(one for one in accepted if one not in given)
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

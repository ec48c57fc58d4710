"""A parameter that is accepted, never read, and not handed to the inner call that takes it.

Why it hurts: whoever sets `dropout=0.3` gets the default of the inner function. A search over that parameter sees a
plateau and concludes that it does not matter. Source: LLM (Shao et al. 2025, accepted and ignored settings).

    before                                          after
    def build(dim, dropout=0.1):                    def build(dim, dropout=0.1):
        return Net(dim)                                 return Net(dim, dropout=dropout)

    # Net.__init__(self, dim, dropout=0.1)

Safe where both defaults are equal: then nothing changes for whoever does not set it.

Silent: parameters that are read anywhere, calls with stars, overridden methods and hooks, functions that only raise, and
parameters documented as unused.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from .found import also, at
from .unread_parameters import defaults, unread


@dataclass(frozen=True, slots=True)
class ParameterNotForwarded:
    name: str = "parameter_not_forwarded"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for parameter in unread(function, program):
                takers = [(call, callee) for call in function.calls
                          if (callee := takes(call, parameter, function, program)) is not None]  # fmt: skip
                if len(takers) == 1:
                    yield self._finding(parameter, *takers[0], function)

    def _finding(self, parameter: str, call: ast.Call, callee: Function, function: Function) -> Finding:
        edit = function.set_keyword(call, parameter, parameter)
        mine, theirs = defaults(function).get(parameter), defaults(callee).get(parameter)
        equal = mine is not None and theirs is not None and ast.unparse(mine) == ast.unparse(theirs)
        said = f"its default `{ast.unparse(theirs)}`" if theirs is not None else "its default"
        why = f"`{parameter}` is accepted and never read, and `{called_name(call)}` takes one of that name and gets {said}."
        found = at(self.name, function, call, f"Hand {parameter} on to {called_name(call)}", why, (edit,))
        return replace(found, confidence="high", safe=equal, evidence=(also(callee, callee.node, "takes it"),))


def takes(call: ast.Call, parameter: str, function: Function, program: Program) -> Function | None:
    """The one function of the program a call reaches, if it takes the parameter by a default and is not given it."""
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg in (None, parameter) for k in call.keywords):
        return None
    callee = target(call, function, program)
    if callee is None or parameter not in defaults(callee) or callee is function:
        return None
    names = callee.parameters[1:] if callee.owner is not None else callee.parameters
    return callee if names.index(parameter) >= len(call.args) else None


def target(call: ast.Call, function: Function, program: Program) -> Function | None:
    """The one function or constructor that a call by a plain name, or of a method of `self`, certainly reaches."""
    if isinstance(call.func, ast.Name):
        found = program.definition(call.func.id, function.source)
        if found is None:
            return None
        name, home = found
        owner = next((c for c in home.classes if c.name == name), None)
        if owner is not None:
            return program.method(owner, home, "__init__")
        return next((f for f in home.functions if f.name == name), None)
    if not isinstance(call.func, ast.Attribute) or ast.unparse(call.func.value) != "self" or function.owner is None:
        return None
    callees = program.callees(call, function)
    certain = len(callees) == 1 and callees[0].owner is function.owner and program.is_only(callees[0])
    return callees[0] if certain else None

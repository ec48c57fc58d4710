"""A setting of a model that its constructor or forward accepts and never reads.

Why it hurts: the model is the same whatever the setting says. Dropout that was switched on is not there, a mask that was
handed in hides nothing, and a search over the setting sees a plateau. Source: LLM (Shao et al. 2025); Humbatova et
al. 2020.

    before                                          after
    def __init__(self, dim, dropout=0.1):           the parameter read, or not accepted: its author's to say
        self.proj = nn.Linear(dim, dim)

    net = Net(64, dropout=0.5)      # no effect

Only told, not edited. Shown where some call of the program sets it to something else than its default, or where it is
a mask.

Silent: parameters an interface asks for, parameters documented as unused or deprecated, stubs, and what is handed on to
an inner call, which `parameter_not_forwarded` mends.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, argument_of
from ..source import Function, words
from .found import also, at
from .parameter_not_forwarded import takes
from .unread_parameters import defaults, unread

_MASKS = frozenset("mask masks".split())
_ASIDE = frozenset("verbose debug num_workers device mode capturable name logger log progress dtype".split())


@dataclass(frozen=True, slots=True)
class IgnoredParameter:
    name: str = "ignored_parameter"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for parameter in unread(function, program):
                if parameter in _ASIDE or any(
                    takes(call, parameter, function, program) is not None for call in function.calls
                ):
                    continue
                passed = _passed(parameter, function, program)
                if passed is not None:
                    yield self._finding(parameter, *passed, function)

    def _finding(self, parameter: str, caller: Function, call: ast.Call, function: Function) -> Finding:
        why = f"`{parameter}` is accepted and never read; line {call.lineno} of {caller.source.path} sets it, in vain."
        found = at(self.name, function, function.node, f"Read {parameter}, or do not accept it", why)
        masks = bool(_MASKS & set(words(parameter)))
        return replace(found, confidence="medium" if masks else "low", evidence=(also(caller, call, "set here"),))


def _passed(parameter: str, function: Function, program: Program) -> tuple[Function, ast.Call] | None:
    """A call that certainly reaches the function and sets the parameter to something else than its default."""
    default = ast.unparse(defaults(function)[parameter])
    for caller, call in program.callers(function):
        if len(program.callees(call, caller)) > 1:
            continue
        argument = argument_of(call, function, parameter)
        if argument is not None and ast.unparse(argument) != default:
            return caller, call
    return None

"""What a layer computed is thrown away, because the next one is given the input of the first.

Why it hurts: the layer is called, costs time, has parameters, and no gradient: the network is shallower than it reads.
With a norm or an activation the output is not normalised or not bent. Source: Humbatova et al. 2020 (wrong network
architecture); Islam et al. 2020 (network connectivity).

    before                                          after
    h = self.norm(self.conv(x))                     h = self.norm(self.conv(x))
    h = F.relu(x)                                   h = F.relu(h)

Silent: names read in between, in another branch or in a loop, calls made for their effect, and values overwritten by
something that is no further step of the same name.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from .found import also, at
from .layers import makes_layer


@dataclass(frozen=True, slots=True)
class LayerOutputLost:
    name: str = "layer_output_lost"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if function.parameters[:1] != ("self",) or function.owner is None or "forward" not in function.name:
                continue
            if not program.is_model(function.owner, function.source):
                continue
            for block in _blocks(function):
                for first, second in _overwritten(block):
                    if _is_layer_call(first.value, function, program):
                        yield self._finding(first, second, function)

    def _finding(self, first: ast.Assign, second: ast.stmt | None, function: Function) -> Finding:
        name = ast.unparse(first.targets[0])
        if second is None:
            why = f"`{name}` is computed and never read: the layer takes no part in what is returned."
            return at(self.name, function, first, f"Use {name}, or do not compute it", why)
        why = f"`{name}` is set again on line {second.lineno} before anything reads it: the layer takes no part."
        found = at(self.name, function, first, f"Feed {name} on to the next step", why, _edits(first, second, function))
        return replace(found, confidence="high", evidence=(also(function, second, "overwritten here"),))


def _blocks(function: Function) -> Iterable[Sequence[ast.stmt]]:
    if isinstance(function.node, ast.Module):
        return
    yield function.node.body
    for node in function.own:
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(node, ast.stmt) and isinstance(block, list) and not isinstance(node, ast.FunctionDef):
                yield block


def _overwritten(block: Sequence[ast.stmt]) -> Iterable[tuple[ast.Assign, ast.stmt]]:
    """Assignments of one name whose value the next assignment of the same block drops unread."""
    for place, first in enumerate(block):
        name = _single_name(first)
        if not name:
            continue
        for later in block[place + 1 :]:
            if _reads(later, name) or (_stores(later, name) and not _single_name(later)):
                break
            if _single_name(later) == name:
                yield first, later  # type: ignore[misc]
                break
            if isinstance(later, ast.Return | ast.Raise | ast.Continue | ast.Break):
                break


def _single_name(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _reads(statement: ast.stmt, name: str) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load | ast.Del) for n in ast.walk(statement)
    ) or (isinstance(statement, ast.AugAssign) and ast.unparse(statement.target) == name)


def _stores(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in ast.walk(statement))


def _is_layer_call(value: ast.expr, function: Function, program: Program) -> bool:
    """Whether the value is a call of one of the model's own layers."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    if ast.unparse(value.func.value) != "self":
        return False
    made = [(v, f) for v, f in program.values(value.func, function) if isinstance(v, ast.Call)]
    return bool(made) and all(makes_layer(v, f, program) for v, f in made)


def _edits(first: ast.Assign, second: ast.stmt, function: Function) -> tuple[Edit, ...]:
    """The second step takes the first one's result where it took the same input."""
    value = second.value if isinstance(second, ast.Assign) else None
    name = ast.unparse(first.targets[0])
    if (
        not isinstance(value, ast.Call)
        or not isinstance(first.value, ast.Call)
        or not value.args
        or not first.value.args
    ):
        return ()
    given, taken = value.args[0], first.value.args[0]
    while isinstance(taken, ast.Call) and taken.args:  # of nested calls the innermost input
        taken = taken.args[0]
    if not isinstance(given, ast.Name) or ast.unparse(given) != ast.unparse(taken) or called_name(value) == "":
        return ()
    text, func = function.source.segment(value), function.source.segment(value.func)
    return (function.replace(value, func + text[len(func) :].replace(given.id, name, 1)),)

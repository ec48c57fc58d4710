"""A shallow copy of nested defaults, whose inner parts are then changed.

Why it hurts: the copy has the same inner dicts and lists as the defaults, so one run's settings become the defaults of
every later one in the process: folds, trials and tests depend on their order. Source: seen in public fix histories.

    before                                  after
    config = DEFAULTS.copy()                config = copy.deepcopy(DEFAULTS)
    config["optim"]["lr"] = lr              config["optim"]["lr"] = lr

Not flagged: flat defaults, copies of which only the outer keys are set, inner parts that are replaced before they are
changed.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function
from .changed import changed_in_place


@dataclass(frozen=True, slots=True)
class ShallowDefaults:
    name: str = "shallow_defaults"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for target, copied, original in _copies(function):
                nested = _nested(original, function, program)
                change = _inner_change(target, nested, function) if nested else None
                if change is not None:
                    yield self._finding(function, copied, original, change)

    def _finding(self, function: Function, copied: ast.expr, original: ast.expr, change: ast.stmt) -> Finding:
        source = function.source
        name = next((alias for alias, full in source.aliases.items() if full == "copy.deepcopy"), "")
        module = next((alias for alias, full in source.aliases.items() if full == "copy"), "")
        edits: list[Edit] = []
        if not name:
            name = f"{module or 'copy'}.deepcopy"
            edits += [] if module else [source.functions[0].edit("add_import", code="import copy")]
        edits.append(function.replace(copied, f"{name}({source.segment(original)})"))
        return Finding(
            self.name,
            source.path,
            copied.lineno,
            function.name,
            f"Copy {ast.unparse(original)} with its inner parts"[:72],
            f"`{ast.unparse(copied)}` shares its inner dicts and lists with `{ast.unparse(original)}`, and line "
            f"{change.lineno} changes one of them for everybody.",
            tuple(edits),
            confidence="high",
            safe=True,
        )


def _copies(function: Function) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """`a = D.copy()`, `a = dict(D)`, `a = copy.copy(D)`, `a = {**D}`: the name, the copying expression, and D."""
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value):
                pass
            case _:
                continue
        match value:
            case ast.Call(func=ast.Attribute(value=original, attr="copy"), args=[], keywords=[]):
                pass
            case ast.Call(func=func, args=[original], keywords=[]) if function.source.full(func) in (
                "dict",
                "copy.copy",
            ):
                pass
            case ast.Dict(keys=[None], values=[original]):
                pass
            case _:
                continue
        if isinstance(original, ast.Name | ast.Attribute):
            yield ast.unparse(target), value, original


def _nested(original: ast.expr, function: Function, program: Program) -> set[object]:
    """Keys of a dict of the module or the class whose values are dicts or lists; empty for a flat or unknown one."""
    if isinstance(original, ast.Name) and (function.assignments(original.id) or original.id in function.parameters):
        return set()
    values = [value for value, _ in program.values(original, function)]
    if isinstance(original, ast.Attribute) and function.owner is not None:
        values += [
            s.value
            for s in function.owner.body
            if isinstance(s, ast.Assign) and any(ast.unparse(t) == original.attr for t in s.targets)
        ]
    if len(values) != 1 or not isinstance(values[0], ast.Dict):
        return set()
    pairs = zip(values[0].keys, values[0].values, strict=True)
    return {k.value for k, v in pairs if isinstance(k, ast.Constant) and isinstance(v, ast.Dict | ast.List)}


def _inner_change(target: str, nested: set[object], function: Function) -> ast.stmt | None:
    for owner, statement in changed_in_place(function):
        match owner:
            case ast.Subscript(value=value, slice=ast.Constant(value=key)):
                if ast.unparse(value) == target and key in nested and not _replaced(target, key, statement, function):
                    return statement
    return None


def _replaced(target: str, key: object, change: ast.stmt, function: Function) -> bool:
    """Whether the inner part was given a value of its own before the change."""
    return any(line < change.lineno for line, _ in function.assignments(f"{target}[{key!r}]"))

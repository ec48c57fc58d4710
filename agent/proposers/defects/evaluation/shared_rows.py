"""Many names for one list: `[[]] * n` and `dict.fromkeys(keys, [])` hold the same object at every place.

Why it hurts: what is added for one class, fold or sample is added for all; means per group come out equal and tables
fill up. Source: rules of the pylint and ruff families for `dict.fromkeys`; Islam et al. 2019 (data bugs).

    before                                  after
    rows = [[]] * n                         rows = [[] for _ in range(n)]
    rows[i].append(x)                       rows[i].append(x)

Not flagged: lists of numbers, strings or None, and shared objects that are replaced and never changed.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function
from .changed import changed_in_place, is_mutable_literal


@dataclass(frozen=True, slots=True)
class SharedRows:
    name: str = "shared_rows"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                    continue
                new = _apart(node.value, function)
                change = _change(ast.unparse(node.targets[0]), function) if new else None
                if change is None:
                    continue
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    "Make a new object for every place",
                    f"`{ast.unparse(node.value)[:60]}` holds one object at every place, and line {change.lineno} changes it "
                    "for all of them.",
                    (function.replace(node.value, new),),
                    confidence="high",
                    safe=True,
                )


def _apart(value: ast.expr, function: Function) -> str:
    """The same with an object of its own at each place; empty when nothing is shared."""
    text = function.source.segment
    match value:
        case ast.BinOp(left=ast.List(elts=[element]), op=ast.Mult(), right=count):
            pass
        case ast.BinOp(left=count, op=ast.Mult(), right=ast.List(elts=[element])):
            pass
        case ast.Call(func=ast.Attribute(value=ast.Name("dict"), attr="fromkeys"), args=[keys, element]):
            return f"{{key: {text(element)} for key in {text(keys)}}}" if is_mutable_literal(element) else ""
        case _:
            return ""
    return f"[{text(element)} for _ in range({text(count)})]" if is_mutable_literal(element) else ""


def _change(name: str, function: Function) -> ast.stmt | None:
    """A statement that changes `name[i]` in place, in this function or, for an attribute, in its class."""
    homes = [function]
    if name.startswith("self.") and function.owner is not None:
        homes = [f for f in function.source.functions if f.owner is function.owner]
    if any(_sets_a_place(node, name) for home in homes for node in home.own):
        return None  # places are given objects of their own
    for home in homes:
        for owner, statement in changed_in_place(home):
            if isinstance(owner, ast.Subscript) and ast.unparse(owner.value) == name:
                return statement
    return None


def _sets_a_place(node: ast.AST, name: str) -> bool:
    """`name[i] = ...`."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Subscript) and ast.unparse(target.value) == name for target in targets)

"""A default value that the function itself changes: every later call starts with what the earlier ones left.

Why it hurts: the list or dict is made once, when the function is defined. Histories, caches and settings of one model,
fold or run turn up in the next. Source: rule B006 of ruff, which also names the many harmless ones.

    before                                  after
    def train(x, losses=[]):                def train(x, losses=None):
        losses.append(f(x))                     if losses is None:
                                                    losses = []
                                                losses.append(f(x))

Not flagged: defaults that are only read or copied, or whose fixed keys are set anew; names that are bound anew first;
memories that are meant (`_cache`, `memo`).
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Definition, Function, words
from .changed import changed_in_place, is_mutable_literal

_MEANT = frozenset({"cache", "memo", "memory", "seen", "counter"})


@dataclass(frozen=True, slots=True)
class MutableDefault:
    name: str = "mutable_default"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for parameter, default in _defaults(function):
                if _MEANT & set(words(parameter)) or function.assignments(parameter):
                    continue
                changes = [
                    statement
                    for owner, statement in changed_in_place(function)
                    if ast.unparse(owner) == parameter and not _sets_one_key(statement)
                ]
                changes = changes or _changed_when_kept(function, parameter)
                if changes:
                    yield self._finding(function, parameter, default, changes[0])

    def _finding(self, function: Function, parameter: str, default: ast.expr, change: ast.stmt) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            function.node.lineno if isinstance(function.node, Definition) else 1,
            function.name,
            f"Make a new default of {parameter} for every call"[:72],
            f"`{parameter}={ast.unparse(default)[:40]}` is one object for all calls, and line {change.lineno} changes it.",
            _edits(function, parameter, default),
            confidence="high",
            safe=True,
        )


def _defaults(function: Function) -> Iterator[tuple[str, ast.expr]]:
    """Parameters whose default is a list, dict or set."""
    if not isinstance(function.node, Definition):
        return
    args = function.node.args
    positional = [*args.posonlyargs, *args.args]
    pairs = list(zip(positional[len(positional) - len(args.defaults) :], args.defaults, strict=True))
    pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None]
    yield from ((a.arg, d) for a, d in pairs if is_mutable_literal(d))


def _sets_one_key(statement: ast.stmt) -> bool:
    """`results["train"] = []`: every call writes the same keys anew, so little is left of an earlier one."""
    match statement:
        case ast.Assign(targets=[ast.Subscript(slice=ast.Constant())]):
            return True
    return False


def _changed_when_kept(function: Function, parameter: str) -> list[ast.stmt]:
    """Statements of the class that change `self.x` where `self.x = parameter`."""
    if function.owner is None:
        return []
    kept = {
        ast.unparse(target)
        for node in function.own
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == parameter
        for target in node.targets
        if isinstance(target, ast.Attribute)
    }
    methods = [f for f in function.source.functions if f.owner is function.owner]
    kept -= {name for name in kept if sum(len(f.assignments(name)) for f in methods) > 1}
    return [s for f in methods if kept for owner, s in changed_in_place(f) if ast.unparse(owner) in kept]


def _edits(function: Function, parameter: str, default: ast.expr) -> tuple[Edit, ...]:
    text = ast.unparse(default)
    same = [n for n in ast.walk(function.node) if isinstance(n, ast.expr) and ast.unparse(n) == text]
    same.sort(key=lambda node: (node.lineno, node.col_offset))
    extra = {} if len(same) == 1 else {"nth": str(same.index(default) + 1)}
    code = f"if {parameter} is None:\n    {parameter} = {function.source.segment(default)}"
    return (
        function.edit("replace_expression", old=text, new="None", **extra),
        function.insert(code, "first"),
    )

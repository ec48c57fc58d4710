"""A total over batches that every batch sets anew, and that is then divided as if it were a sum.

Why it hurts: the score of the last batch, divided by the number of all rows, stands for the whole data set: far too
small, and decided by the few rows that happen to come last.

Source: Humbatova et al. 2020 (validation of the model); the missing `+` of Islam et al. 2020.

    for x, y in loader:                                   for x, y in loader:
        right = (net(x).argmax(1) == y).sum()    ->           right += (net(x).argmax(1) == y).sum()
    return right / len(loader.dataset)                    return right / len(loader.dataset)

Silent: loops that are left early, values that carry on from themselves, and what is not divided by a count of the whole.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .base import Finding
from .program import Program, called_name
from .source import Function

Total = tuple[ast.For | ast.AsyncFor, ast.Assign, ast.BinOp]


@dataclass(frozen=True, slots=True)
class OverwrittenTotal:
    name: str = "overwritten_total"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for loop, assigned, quotient in _totals(function):
                yield self._finding(loop, assigned, quotient, function)

    def _finding(
        self, loop: ast.For | ast.AsyncFor, assigned: ast.Assign, quotient: ast.BinOp, function: Function
    ) -> Finding:
        name = ast.unparse(assigned.targets[0])
        added = f"{name} += {function.source.segment(assigned.value)}"
        return Finding(
            detector=self.name,
            file=function.source.path,
            line=assigned.lineno,
            symbol=function.name,
            title=f"Add each batch to {name}, do not overwrite it"[:72],
            rationale=f"Each pass of the loop on line {loop.lineno} sets `{name}` anew, and "
            f"`{ast.unparse(quotient)}` (line {quotient.lineno}) divides the last one by a count of all.",
            edits=(
                function.insert(added, "before", assigned),
                function.edit("delete_statement", **function.anchor(assigned)),
            ),
        )


def _totals(function: Function) -> Iterator[Total]:
    """Names that start at zero, are plainly set in a loop over data, and are divided by a count after it."""
    for loop in function.own:
        if not isinstance(loop, ast.For | ast.AsyncFor) or any(
            isinstance(n, ast.Break | ast.Return) for n in ast.walk(loop)
        ):
            continue
        given = _stored(loop.target)
        for statement in loop.body:
            inner = statement.body if isinstance(statement, ast.With) else [statement]
            for assigned in inner:
                if not isinstance(assigned, ast.Assign) or not isinstance(assigned.targets[0], ast.Name):
                    continue
                name = assigned.targets[0].id
                if len(assigned.targets) > 1 or not _starts_at_zero(name, loop, function):
                    continue
                if not _comes_from(assigned.value, given, loop) or _is_read_or_set_again(name, assigned, loop):
                    continue
                quotient = _divided(name, loop, function)
                if quotient is not None:
                    yield loop, assigned, quotient


def _starts_at_zero(name: str, loop: ast.stmt, function: Function) -> bool:
    value = function.last_value(name, loop.lineno)
    return isinstance(value, ast.Constant) and value.value == 0 and not isinstance(value.value, bool)


def _comes_from(value: ast.expr, given: set[str], loop: ast.For | ast.AsyncFor) -> bool:
    """Whether a value is made of what the loop hands out, through names the loop sets."""
    made = set(given)
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign) and _loaded(node.value) & made:
                made |= {name for target in node.targets for name in _stored(target)}
    return isinstance(value, ast.Call | ast.BinOp) and bool(_loaded(value) & made)


def _is_read_or_set_again(name: str, assigned: ast.Assign, loop: ast.For | ast.AsyncFor) -> bool:
    """Whether the loop uses the name for anything else, as a value of the batch."""
    target = assigned.targets[0]
    return any(
        isinstance(node, ast.Name) and node.id == name and node is not target
        for statement in loop.body
        for node in ast.walk(statement)
    )


def _divided(name: str, loop: ast.For | ast.AsyncFor, function: Function) -> ast.BinOp | None:
    """The division of the name by a count of the whole, below the loop and before the name is set again."""
    end = loop.end_lineno or loop.lineno
    again = min([line for line, _ in function.assignments(name) if line > end], default=10**9)
    for node in function.own:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div) or not end < node.lineno <= again:
            continue
        if name in _loaded(node.left) and _counts(node.right, loop):
            return node
    return None


def _counts(node: ast.expr, loop: ast.For | ast.AsyncFor) -> bool:
    """`len(loader.dataset)`, or a name that the loop adds to."""
    if isinstance(node, ast.Call):
        inside = _loaded(loop.iter) & _loaded(node)
        return (called_name(node) == "len" and bool(inside)) or any(_counts(arg, loop) for arg in node.args)
    return isinstance(node, ast.Name) and any(
        isinstance(n, ast.AugAssign) and isinstance(n.op, ast.Add) and ast.unparse(n.target) == node.id
        for n in ast.walk(loop)
    )


def _loaded(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

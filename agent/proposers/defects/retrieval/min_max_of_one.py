"""Scores are scaled by the smallest and largest of their own set, and the case of one score, or of equal ones, is forgotten.

Why it hurts: with a small number below the line the only hit scores 0 and is filtered out; without it the division fails or gives
NaN. Scores of two sets scaled like this do not compare either. Source: seen in public fix histories.

    before                                                          after
        low, high = min(scores), max(scores)                            low, high = min(scores), max(scores)
        return [(s - low) / (high - low + 1e-8) for s in scores]        return [(s - low) / (high - low) if high > low else 1.0
                                                                                for s in scores]

Silent: code that asks whether the two differ, and scales taken from elsewhere than the set itself.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function, words

_SCORES = frozenset(
    "score scores similarity similarities sim sims relevance bm25 distance distances weight weights rank importance recency".split()
)


@dataclass(frozen=True, slots=True)
class MinMaxOfOne:
    name: str = "min_max_of_one"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                found = _scaled(node, function)
                if found is not None and not _is_asked(found, function):
                    yield self._finding(node, found, function)  # type: ignore[arg-type]

    def _finding(self, node: ast.BinOp, bounds: tuple[ast.expr, ast.expr], function: Function) -> Finding:
        low, high = (ast.unparse(bound) for bound in bounds)
        return Finding(
            self.name, function.source.path, node.lineno, function.name, "Give a score that has no range the best value",
            f"When `{low}` equals `{high}`, as with a single hit, this is 0 or no number at all, and the hit is lost.",
            _edits(node, low, high, function),
        )  # fmt: skip


def _scaled(node: ast.AST, function: Function) -> tuple[ast.expr, ast.expr] | None:
    """The two bounds of `(x - low) / (high - low)` over scores, each `min(...)` or `max(...)` of one set."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
        return None
    above, below = node.left, node.right
    if isinstance(below, ast.BinOp) and isinstance(below.op, ast.Add) and isinstance(below.right, ast.Constant):
        below = below.left
    if not (
        isinstance(above, ast.BinOp)
        and isinstance(above.op, ast.Sub)
        and isinstance(below, ast.BinOp)
        and isinstance(below.op, ast.Sub)
    ):
        return None
    low, high = below.right, below.left
    if ast.unparse(above.right) != ast.unparse(low) or not _says_score(above.left):
        return None
    sets = {_set_of(low, "min", function), _set_of(high, "max", function)}
    return (low, high) if len(sets) == 1 and sets != {""} else None


def _says_score(node: ast.expr) -> bool:
    names = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    ]
    keys = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return any(_SCORES & set(words(name)) for name in (*names, *keys)) or (
        isinstance(node, ast.Name) and node.id == "s"
    )


def _set_of(bound: ast.expr, which: str, function: Function) -> str:
    """`scores` for `min(scores)`, or for a name that was set to that."""
    if isinstance(bound, ast.Name):
        values = [value for _, value in function.assignments(bound.id)]
        if len(values) != 1:
            return ""
        (bound,) = values
    if isinstance(bound, ast.Call) and ast.unparse(bound.func) == which and len(bound.args) == 1 and not bound.keywords:
        return ast.unparse(bound.args[0])
    return ""


def _is_asked(bounds: tuple[ast.expr, ast.expr], function: Function) -> bool:
    """Whether the function asks about a bound, or about the number of scores."""
    low, high = (ast.unparse(bound) for bound in bounds)
    for node in function.own:
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            text = ast.unparse(node.test)
            if high in text or low in text or "len(" in text or "range" in text or "span" in text:
                return True
    return False


def _edits(node: ast.BinOp, low: str, high: str, function: Function) -> tuple[Edit, ...]:
    above = ast.unparse(node.left)
    return (function.replace(node, f"({above}) / ({high} - {low}) if {high} > {low} else 1.0"),)

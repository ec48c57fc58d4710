"""A value is assigned to a copy that a mask or a first index made.

Why it hurts: `frame[mask]` is a new frame; what is written into it is gone with the line, and the frame keeps its old
values. Source: dslinter (chain indexing); rule set PD of ruff; the smell most often found by Zhang et al. 2022.

    before                                  after
    df[df["a"] > 1]["b"] = 0                df.loc[df["a"] > 1, "b"] = 0

For arrays and tensors the line is only named: which index was meant cannot be told.

Not flagged: dicts of dicts, lists of lists, a slice or an integer as first index, which give views.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Function


@dataclass(frozen=True, slots=True)
class ChainedAssignment:
    name: str = "chained_assignment"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                match node:
                    case ast.Assign(targets=[ast.Subscript(value=ast.Subscript() as inner) as target]):
                        pass
                    case ast.AugAssign(target=ast.Subscript(value=ast.Subscript() as inner) as target):
                        pass
                    case _:
                        continue
                base = inner.value
                if isinstance(base, ast.Attribute) and base.attr == "loc":
                    base = base.value
                if not isinstance(inner.slice, ast.Tuple) and _is_mask(inner.slice, ast.unparse(base)):
                    yield self._finding(function, node, target, inner, base)

    def _finding(
        self, function: Function, node: ast.stmt, target: ast.Subscript, inner: ast.Subscript, base: ast.expr
    ) -> Finding:
        edits: tuple[Edit, ...] = ()
        if isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
            mask, column = function.source.segment(inner.slice), function.source.segment(target.slice)
            edits = (_written(function, node, target, f"{function.source.segment(base)}.loc[{mask}, {column}]"),)
        return Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            "Assign through one index, not into the copy of the first"[:72],
            f"`{ast.unparse(inner)[:60]}` is a copy: what is written into it never reaches `{ast.unparse(base)}`.",
            edits,
            confidence="high",
        )


def _written(function: Function, node: ast.stmt, target: ast.Subscript, new: str) -> Edit:
    return function.rewrite(node, function.source.spliced(node, target, new))


def _is_mask(index: ast.expr, base: str) -> bool:
    """`df["a"] > 1`, `(x > 0) & (x < 1)`, `df.a.isna()`: a condition on what it indexes."""
    match index:
        case ast.Compare():
            return any(ast.unparse(n) == base for n in ast.walk(index) if isinstance(n, ast.Name | ast.Attribute))
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            return _is_mask(left, base) or _is_mask(right, base)
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            return _is_mask(operand, base)
        case ast.Call(func=ast.Attribute(value=value, attr="isna" | "isnull" | "notna" | "notnull" | "isin")):
            return any(ast.unparse(n) == base for n in ast.walk(value) if isinstance(n, ast.Name | ast.Attribute))
    return False

"""A comparison with NaN, which is false for every value, NaN itself included.

Why it hurts: missing values are not found, not replaced and not counted, and nothing says so; `!=` keeps every row.
Source: dslinter; rule PLW0177 of ruff; Islam et al. 2019 (data bugs).

    before                                  after
    rows = x[x == np.nan]                   rows = x[np.isnan(x)]

With pandas at hand its `isna` is used, which also reads None and text.

Not flagged: `is np.nan`, `np.isnan`, comparisons of a value with itself.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function

_NAN = frozenset(
    f"{module}.{name}" for module in ("numpy", "math", "torch", "pandas") for name in ("nan", "NaN", "NAN", "NA", "NaT")
)


@dataclass(frozen=True, slots=True)
class ComparedWithNan:
    name: str = "compared_with_nan"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                match node:
                    case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as op], comparators=[right]):
                        pass
                    case _:
                        continue
                value, nan = (left, right) if _is_nan(right, function) else (right, left)
                if not _is_nan(nan, function) or _is_nan(value, function):
                    continue
                text = _asked(value, nan, function, equal=isinstance(op, ast.Eq))
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    "Ask whether a value is NaN, do not compare it with NaN",
                    f"`{ast.unparse(node)[:80]}` is {isinstance(op, ast.NotEq)} for every value: NaN equals nothing.",
                    (function.replace(node, text),),
                    confidence="high",
                    safe=True,
                )


def _is_nan(node: ast.expr, function: Function) -> bool:
    match node:
        case ast.Call(func=ast.Name("float"), args=[ast.Constant(value=str(text))]):
            return text.strip().lower() == "nan"
    return function.source.full(node) in _NAN


def _asked(value: ast.expr, nan: ast.expr, function: Function, *, equal: bool) -> str:
    source = function.source
    text = source.segment(value)
    pandas = next((name for name, full in source.aliases.items() if full == "pandas"), "")
    if pandas:
        return f"{pandas}.{'isna' if equal else 'notna'}({text})"
    module = source.segment(nan.value) if isinstance(nan, ast.Attribute) else ""
    full = source.full(nan).rpartition(".")[0]
    if module and full == "math":
        return f"{'' if equal else 'not '}{module}.isnan({text})"
    if module and full in ("numpy", "torch"):
        call = f"{module}.isnan({text})"
        return call if equal else f"{module}.logical_not({call})"
    # NaN is the one value that differs from itself.
    return (
        f"({text}) {'!=' if equal else '=='} ({text})"
        if not isinstance(value, ast.Name)
        else (f"{text} {'!=' if equal else '=='} {text}")
    )

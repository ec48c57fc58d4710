"""Values are divided by their own standard deviation, which is 0 when they are all alike.

Why it hurts: one batch of equal rewards, one constant column or one silent recording gives NaN or infinity, and every
weight is NaN from then on. Source: dslinter W5514; TheDeepChecker; seen in public fix histories.

    before                                          after
    a = (a - a.mean()) / a.std()                    a = (a - a.mean()) / (a.std() + 1e-8)

Not flagged: an epsilon, a clamp or a check anywhere around, deviations of other data, and code without training.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function

_GUARDS = ("eps", "1e-", "clamp", "maximum", "clip", "nan_to_num", "isnan", "== 0", "> 0")


@dataclass(frozen=True, slots=True)
class UnguardedStd:
    name: str = "unguarded_std"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "std(" not in function.source.text or not {"torch", "numpy"} & set(function.source.aliases.values()):
                continue
            if not any(called_name(call) == "backward" for f in function.source.functions for call in f.calls):
                continue
            for node in function.own:
                match node:
                    case ast.BinOp(left=ast.BinOp(left=values, op=ast.Sub(), right=mean), op=ast.Div(), right=std):
                        pass
                    case _:
                        continue
                if not _is_of(mean, "mean", values, function) or not _is_of(std, "std", values, function):
                    continue
                around = function.source.segment(function.source.statement(node))
                if any(guard in around for guard in _GUARDS) or _is_checked(function, node):
                    continue
                source = function.source
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    "Keep the standard deviation away from 0",
                    f"`{ast.unparse(node)[:80]}` is NaN or infinite when all values are alike.",
                    (function.replace(node, source.spliced(node, std, f"({source.segment(std)} + 1e-8)")),),
                    confidence="medium",
                )


def _is_of(node: ast.expr, name: str, values: ast.expr, function: Function) -> bool:
    """`x.mean()`, `torch.mean(x)` of the values themselves."""
    if not isinstance(node, ast.Call) or called_name(node) != name:
        return False
    owner = receiver(node)
    if owner is not None and ast.unparse(owner) == ast.unparse(values):
        return True
    of_library = function.source.full(node.func) in (f"torch.{name}", f"numpy.{name}")
    return of_library and bool(node.args) and ast.unparse(node.args[0]) == ast.unparse(values)


def _is_checked(function: Function, node: ast.AST) -> bool:
    """Whether the place is only reached for some values: `if len(a) > 1`."""
    return any(isinstance(above, ast.If | ast.IfExp) and ("std" in (test := ast.unparse(above.test)) or "len(" in test)
               for above in function.source.ancestors(node))  # fmt: skip

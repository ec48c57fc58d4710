"""A column compared with a row: (B, 1) against (B,) gives B times B differences.

Why it hurts: `MSELoss` of a (B, 1) output and a (B,) target compares every prediction with every target. The best answer
is then the mean of all targets: the loss stops at their variance, predictions are all alike, and nothing fails. Source:
Islam et al. 2020 (data dimension, the most common fix); defects4ml (shape, 16 of 70).

    before                                          after
    loss = mse(net(x), y)       # (B, 1), (B,)      loss = mse(net(x).squeeze(-1), y)

Silent: shapes that do not show: what counts is a last layer with one output, `unsqueeze`, `squeeze`, `view`, columns of a
table, and the tensors of a `TensorDataset`.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..base import Finding
from ..heads import Heads, out_features
from ..losses import losses
from ..program import Program, called_name, keyword_of
from ..source import Function
from .found import at
from .signs import number

_KEEPS = frozenset("float double to cuda cpu detach clone requires_grad_ contiguous type half astype".split())
_RESHAPES = frozenset("unsqueeze view reshape squeeze flatten ravel".split())
_MAKES = frozenset("tensor from_numpy as_tensor FloatTensor Tensor array asarray".split())


@dataclass(frozen=True, slots=True)
class SilentBroadcast:
    name: str = "silent_broadcast"

    def detect(self, program: Program) -> Iterable[Finding]:
        shapes = _Shapes(program)
        for loss in losses(program):
            if loss.kind == "mse":
                yield from self._compared(loss.call, loss.output, loss.target, loss.function, shapes)
        for function in program.functions:
            for node, left, right in _squares(function):
                yield from self._compared(node, left, right, function, shapes)

    def _compared(
        self, node: ast.expr, left: ast.expr, right: ast.expr, function: Function, shapes: "_Shapes"
    ) -> Iterator[Finding]:
        first, second = shapes.of(left, function), shapes.of(right, function)
        if {first, second} not in ({"head", "flat"}, {"column", "flat"}):
            return
        if "column" in (first, second) and not isinstance(node, ast.Call):
            return  # differences of all pairs are often meant
        column = right if first == "flat" else left
        source = function.source
        old = source.segment(column)
        name = old if isinstance(column, ast.Name | ast.Call | ast.Attribute | ast.Subscript) else f"({old})"
        if isinstance(node, ast.Call):
            func = source.segment(node.func)
            new = func + source.segment(node)[len(func) :].replace(old, f"{name}.squeeze(-1)", 1)
        else:
            sides = [f"{name}.squeeze(-1)" if side is column else source.segment(side) for side in (left, right)]
            new = " - ".join(sides)
        why = f"`{ast.unparse(column)}` is a column and the other side is not: each is compared with every other."
        found = at(self.name, function, node, "Compare each prediction with its own target", why,
                   (function.replace(node, new),))  # fmt: skip
        yield replace(found, confidence="high")


def _squares(function: Function) -> Iterator[tuple[ast.BinOp, ast.expr, ast.expr]]:
    """Differences that are squared or made absolute: `(a - b) ** 2`, `(a - b).pow(2)`, `(a - b).abs()`."""
    for node in function.own:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
            continue
        above = function.source.parents[node]
        power = isinstance(above, ast.BinOp) and isinstance(above.op, ast.Pow) and above.left is node
        if power or (isinstance(above, ast.Attribute) and above.attr in ("pow", "square", "abs")):
            yield node, node.left, node.right


def _reshaped(name: str, given: list[float | None]) -> str:
    if name == "unsqueeze":
        return "column" if given in ([1], [-1]) else ""
    if name in ("view", "reshape"):
        return "column" if len(given) == 2 and given[1] == 1 else "flat" if given == [-1] else ""
    return "flat" if given in ([], [1], [-1]) else ""


def _column_of(node: ast.expr) -> ast.expr | None:
    """`table["y"]` of `table["y"].values`, of `.to_numpy()`, and of either cast to a type."""
    while isinstance(node, ast.Call) and called_name(node) == "astype" and isinstance(node.func, ast.Attribute):
        node = node.func.value
    if isinstance(node, ast.Call) and called_name(node) == "to_numpy" and isinstance(node.func, ast.Attribute):
        return node.func.value
    return node.value if isinstance(node, ast.Attribute) and node.attr == "values" else None


class _Shapes:
    """`head` for (B, 1) out of a layer, `column` for any other, `flat` for (B,), and nothing where it does not show."""

    def __init__(self, program: Program) -> None:
        self._program, self._heads = program, Heads(program)

    def of(self, node: ast.expr, function: Function, depth: int = 6) -> str:
        if depth == 0:
            return ""
        if isinstance(node, ast.Name):
            value = function.last_value(node.id, node.lineno)
            if value is not None:
                single = len(function.assignments(node.id)) == 1
                return self.of(value, function, depth - 1) if single else ""
            return self._of_batch(node.id, function, depth)
        if isinstance(node, ast.Subscript):
            return self._of_subscript(node)
        if isinstance(node, ast.Call):
            return self._of_call(node, function, depth)
        return ""

    def _of_subscript(self, node: ast.Subscript) -> str:
        if (
            isinstance(node.slice, ast.Tuple)
            and len(node.slice.elts) == 2
            and isinstance(node.slice.elts[0], ast.Slice)
        ):
            last = node.slice.elts[1]
            if isinstance(last, ast.Constant):
                return "column" if last.value is None else "flat" if isinstance(last.value, int) else ""
        return ""

    def _of_call(self, call: ast.Call, function: Function, depth: int) -> str:
        name = called_name(call)
        if isinstance(call.func, ast.Attribute) and name in _RESHAPES:
            return _reshaped(name, [number(a) for a in call.args])
        if name in _KEEPS and isinstance(call.func, ast.Attribute):
            return self.of(call.func.value, function, depth - 1)
        if name in _MAKES and call.args:
            return self._of_data(call.args[0], function, depth)
        ending = self._heads.of(call, function)
        if ending is None or ending.kind != "linear" or not isinstance(ending.node, ast.Call):
            return ""
        width = out_features(ending.node, ending.function)
        one = called_name(ending.node) in ("Linear", "LazyLinear") and width is not None and number(width) == 1
        return "head" if one else ""

    def _of_data(self, node: ast.expr, function: Function, depth: int) -> str:
        """Of what a tensor is made: `table["y"].values` is flat, `table[["y"]].values` a column."""
        column = _column_of(node)
        if not isinstance(column, ast.Subscript):
            return self.of(node, function, depth - 1)
        if isinstance(column.slice, ast.Constant) and isinstance(column.slice.value, str):
            return "flat"
        return "column" if isinstance(column.slice, ast.List) and len(column.slice.elts) == 1 else ""

    def _of_batch(self, name: str, function: Function, depth: int) -> str:
        """`y` of `for x, y in DataLoader(TensorDataset(a, b))` has the shape of `b`."""
        for loop in function.own:
            if not isinstance(loop, ast.For):
                continue
            target, iterated = loop.target, loop.iter
            if isinstance(iterated, ast.Call) and called_name(iterated) == "enumerate" and iterated.args:
                iterated = iterated.args[0]
                target = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else target
            if not isinstance(target, ast.Tuple) or name not in [ast.unparse(e) for e in target.elts]:
                continue
            place = [ast.unparse(e) for e in target.elts].index(name)
            return self._of_tensors(iterated, place, function, depth)
        return ""

    def _of_tensors(self, loader: ast.expr, place: int, function: Function, depth: int) -> str:
        found: set[str] = set()
        for made, home in self._program.values(loader, function):
            if not isinstance(made, ast.Call) or called_name(made) != "DataLoader":
                return ""
            data = made.args[0] if made.args else keyword_of(made, "dataset")
            for dataset, where in self._program.values(data, home) if data is not None else ():
                if (
                    not isinstance(dataset, ast.Call)
                    or called_name(dataset) != "TensorDataset"
                    or place >= len(dataset.args)
                ):
                    return ""
                found.add(self.of(dataset.args[place], where, depth - 1))
        return found.pop() if len(found) == 1 else ""

"""Pixels are divided by 255 twice.

Why it hurts: inputs lie between 0 and 0.004, activations are nearly constant, and training crawls or learns only
biases. Source: TheDeepChecker (activation spread under 0.5); six of seventy records of defects4ml (preprocessing).

    before                                  after
    x = x.astype("float32") / 255           x = x.astype("float32") / 255
    x = x / 255                             y = load()
    y = load()

Not flagged: branches of which one runs, other variables, and values that are read anew in between.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from .composed import composed


@dataclass(frozen=True, slots=True)
class ScaledTwice:
    name: str = "scaled_twice"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "255" not in function.source.text:
                continue
            for first, second in _pairs(function):
                edit = function.edit("delete_statement", **function.anchor(second))
                yield self._finding(function, second, f"line {first.lineno} has divided them already", (edit,))
            for one in composed(function):
                scaled = one.step("ToTensor")
                again = next((step for step in one.steps if _is_lambda_by_255(step)), None)
                if scaled is not None and again is not None and one.steps.index(scaled) < one.steps.index(again):
                    edit = function.replace(one.call, one.without(again))
                    yield self._finding(function, again, "ToTensor has divided them already", (edit,))

    def _finding(self, function: Function, node: ast.stmt | ast.expr, why: str, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            "Divide pixels by 255 once",
            f"`{ast.unparse(node)[:60]}` divides pixels by 255, and {why}.",
            edits,
            confidence="high",
        )


def _pairs(function: Function) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Two statements of one block that divide the same name by 255, with none in between that sets it anew."""
    blocks: dict[tuple[int, str], ast.stmt] = {}
    for node in function.own:
        if not isinstance(node, ast.Assign | ast.AugAssign):
            continue
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        name = ast.unparse(target)
        key = (id(function.source.parents[node]), name)
        first = blocks.get(key)
        if _divides(node, name):
            if first is not None and _same_block(first, node, function):
                yield first, node
            else:
                blocks[key] = node
        elif not (isinstance(node, ast.Assign) and _follows(node.value, name)):
            for other in [k for k in blocks if k[1] == name]:
                del blocks[other]


def _same_block(first: ast.stmt, second: ast.stmt, function: Function) -> bool:
    parent = function.source.parents[second]
    return any(first in block and second in block for block in _blocks(parent))


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    return [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]


def _divides(node: ast.Assign | ast.AugAssign, name: str) -> bool:
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Div) and _is_255(node.value)
    match node.value:
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _is_255(right) and _follows(left, name)
    return False


def _follows(value: ast.expr, name: str) -> bool:
    """The name itself, or the name through methods such as `astype`."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and called_name(value) in (
        "astype", "float", "to", "reshape", "copy", "contiguous", "cuda", "transpose", "permute", "unsqueeze",
    ):  # fmt: skip
        value = value.func.value
    return ast.unparse(value) == name


def _is_255(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (255, 255.0)


def _is_lambda_by_255(step: ast.expr) -> bool:
    match step:
        case ast.Call(args=[ast.Lambda(args=ast.arguments(args=[ast.arg(arg=name)]), body=ast.BinOp() as body)]):
            return isinstance(body.op, ast.Div) and _is_255(body.right) and _follows(body.left, name)
    return False

"""Two images of eight bits are subtracted: 3 - 5 is 254.

Why it hurts: differences below zero wrap around, squares are taken modulo 256, and errors come out far too small or too
large; nothing warns. Source: seen in public fix histories of image metrics.

    before                                      after
    a = cv2.imread(p)                           a = cv2.imread(p)
    b = cv2.imread(q)                           b = cv2.imread(q)
    mse = np.mean((a - b) ** 2)                 mse = np.mean((a.astype(float) - b) ** 2)

Not flagged: either side cast before, `cv2.absdiff`, and values whose type cannot be read.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name
from ..source import Function

_READS = frozenset({"cv2.imread", "cv2.imdecode", "imageio.imread", "imageio.v2.imread", "skimage.io.imread"})
_ARRAYS = frozenset({"numpy.array", "numpy.asarray"})
_OPENS = frozenset({"PIL.Image.open", "Image.open"})


@dataclass(frozen=True, slots=True)
class IntegerDifference:
    name: str = "integer_difference"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not any(mark in function.source.text for mark in ("uint8", "imread", "Image.open", ".byte()")):
                continue
            for node in function.own:
                if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
                    continue
                kinds = {_kind(side, function, program) for side in (node.left, node.right)}
                kind = kinds.pop()
                if kinds or not kind:
                    continue
                source = function.source
                cast = "astype(float)" if kind == "numpy" else "float()"
                left = source.segment(node.left)
                if not isinstance(node.left, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                    left = f"({left})"
                yield Finding(
                    self.name,
                    source.path,
                    node.lineno,
                    function.name,
                    "Subtract images as numbers that can be negative",
                    f"Both sides of `{ast.unparse(node)[:60]}` are of eight bits without a sign: what is below zero wraps "
                    "around to 255.",
                    (function.replace(node, source.spliced(node, node.left, f"{left}.{cast}")),),
                    confidence="high",
                    safe=True,
                )


def _kind(node: ast.expr, function: Function, program: Program) -> str:
    """`numpy` or `torch` for an array of eight bits; empty for what is not one, or not surely."""
    if isinstance(node, ast.Subscript):
        return _kind(node.value, function, program)
    if isinstance(node, ast.Name):
        if node.id in function.parameters:
            return ""
        made = [value for _, value in function.assignments(node.id)]
        kinds = {_kind_of_made(value, function) for value in made}
        return kinds.pop() if len(kinds) == 1 else ""
    return _kind_of_made(node, function)


def _kind_of_made(value: ast.expr, function: Function) -> str:
    if not isinstance(value, ast.Call):
        return ""
    full, name = function.source.full(value.func), called_name(value)
    if full in _READS:
        # A flag may ask for the depth of the file.
        return "numpy" if len(value.args) == 1 or "UNCHANGED" not in ast.unparse(value) else ""
    if full in _ARRAYS and len(value.args) == 1 and not value.keywords:
        inner = value.args[0]
        while isinstance(inner, ast.Call) and called_name(inner) in ("convert", "resize"):
            inner = inner.func.value if isinstance(inner.func, ast.Attribute) else inner
        return "numpy" if isinstance(inner, ast.Call) and function.source.full(inner.func) in _OPENS else ""
    if name == "astype" and value.args and ast.unparse(value.args[0]) in ("np.uint8", "'uint8'", "numpy.uint8"):
        return "numpy"
    if name == "byte" and not value.args and isinstance(value.func, ast.Attribute):
        return "torch"
    if name == "to" and value.args and function.source.full(value.args[0]) == "torch.uint8":
        return "torch"
    return ""

"""What an expression is worth when only literals, names with known values and arithmetic are believed."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_NUMBER = 10**15
MAX_ITEMS = 10_000
MAX_NAME = 40


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not in the text, and how the text says it."""

    text: str

    def __str__(self) -> str:
        return self.text


_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def value_of(node: ast.expr, names: Mapping[str, object]) -> object:
    """The value of `node`, or Unknown. `names`: values by `name` and by `self.name`."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(value_of(item, names) for item in node.elts[:MAX_ITEMS])
    found = _named(node, names)
    if found is None and isinstance(node, ast.BinOp):
        found = _arithmetic(node, names)
    elif isinstance(node, ast.UnaryOp):
        found = _unary(node, names)
    elif isinstance(node, ast.IfExp):
        test = value_of(node.test, names)
        if not isinstance(test, Unknown):
            return value_of(node.body if test else node.orelse, names)
    elif isinstance(node, ast.Compare):
        found = _compared(node, names)
    elif isinstance(node, ast.Call):
        found = _call(node, names)
    return unknown(node) if found is None else found[0]


def unknown(node: ast.expr) -> Unknown:
    return Unknown(" ".join(ast.unparse(node).split())[:MAX_NAME])


Found = tuple[object] | None


def _named(node: ast.expr, names: Mapping[str, object]) -> Found:
    key = node.id if isinstance(node, ast.Name) else ""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        key = f"{node.value.id}.{node.attr}"
    return (names[key],) if key in names else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and abs(value) <= MAX_NUMBER else None


def _arithmetic(node: ast.BinOp, names: Mapping[str, object]) -> Found:
    left, right = _number(value_of(node.left, names)), _number(value_of(node.right, names))
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Pow):
        return (left**right,) if 0 <= right <= 16 and abs(left) <= 10**6 else None
    work = _ARITHMETIC.get(type(node.op))
    try:
        return (work(left, right),) if work else None
    except (ZeroDivisionError, OverflowError):
        return None


def _unary(node: ast.UnaryOp, names: Mapping[str, object]) -> Found:
    value = value_of(node.operand, names)
    if isinstance(node.op, ast.Not) and not isinstance(value, Unknown):
        return (not value,)
    number = _number(value)
    return (-number,) if isinstance(node.op, ast.USub) and number is not None else None


def _compared(node: ast.Compare, names: Mapping[str, object]) -> Found:
    left, right = value_of(node.left, names), value_of(node.comparators[0], names)
    work = _COMPARED.get(type(node.ops[0]))
    if len(node.ops) > 1 or work is None or isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    return (work(left, right),)


def _call(node: ast.Call, names: Mapping[str, object]) -> Found:
    """`int(x)`, `round(x)`, `max(a, b)`, `min(a, b)`, `len(x)` of what is known."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    values = [value_of(argument, names) for argument in node.args]
    if name == "len" and len(values) == 1 and isinstance(values[0], str | tuple):
        return (len(values[0]),)
    numbers = [number for value in values if (number := _number(value)) is not None]
    if node.keywords or not numbers or len(numbers) < len(values):
        return None
    if name in ("int", "round") and len(numbers) == 1:
        return (int(numbers[0]) if name == "int" else round(numbers[0]),)
    if name in ("max", "min") and len(numbers) > 1:
        return ((max if name == "max" else min)(numbers),)
    return None

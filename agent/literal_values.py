"""Python literals as values, and values as literals."""

import math

import libcst as cst

from ..targets.errors import OperatorError
from ..targets.tunable import Value


def literal_value(node: cst.BaseExpression) -> Value | None:
    """The value of a plain int, float, bool or string literal; None for anything else, a negative number included."""
    match node:
        case cst.Name(value="True" | "False" as word):
            return word == "True"
        case cst.Integer() | cst.Float():
            value = node.evaluated_value
            return value if isinstance(value, int) or math.isfinite(value) else None
        case cst.SimpleString():
            text = node.evaluated_value
            return text if isinstance(text, str) else None
    return None


def literal_text(value: Value, type_name: str) -> str:
    """Python source for `value` as a tunable of type `type_name`; it reads back as exactly that value.

    Raises:
        OperatorError: the value is not of that type, or not finite.
    """
    if type_name == "bool" and isinstance(value, bool):
        return repr(value)
    if type_name == "str" and isinstance(value, str):
        return repr(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        if type_name == "float":
            return repr(float(value))
        if type_name == "int" and value == int(value):
            return repr(int(value))
    raise OperatorError("the value does not fit the literal", wanted=f"a finite {type_name}", found=repr(value)[:80])


def parse_literal(text: str) -> tuple[cst.BaseExpression, Value]:
    """The node and value of a text that is one literal and nothing else.

    Raises:
        OperatorError: it is not.
    """
    try:
        node = cst.parse_expression(text) if len(text) <= 1_000 else None
    except (cst.ParserSyntaxError, RecursionError):
        node = None
    if isinstance(node, cst.Name | cst.Integer | cst.Float | cst.SimpleString) and node.value == text:
        value = literal_value(node)
        if value is not None:
            return node, value
    raise OperatorError("the new value is not one literal", wanted="a number, True, False or a string", found=text[:80])

"""What a program prints, as a template: its literal text, and the expressions whose values stand between."""

import string
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m

from .dotted import dotted_name
from .literal_values import literal_value

PRINTERS = frozenset(
    {"print", "info", "write", "echo", "secho", "warning", "debug", "set_description", "set_postfix_str"}
)
LOGGED = frozenset({"info", "warning", "debug"})


@dataclass(frozen=True, slots=True)
class Field:
    """A value in printed text."""

    expression: str


Template = tuple[str | Field, ...]


@dataclass(frozen=True)
class Printed:
    call: cst.Call
    printer: str
    template: Template


def printed_in(module: cst.Module) -> Iterator[Printed]:
    """Every call that prints or logs a text with at least one value in it, in order of the file."""
    for call in m.findall(module, m.Call()):
        if not isinstance(call, cst.Call) or not call.args:
            continue
        printer = dotted_name(call.func).rpartition(".")[2]
        if printer not in PRINTERS:
            continue
        parts: list[str | Field] = []
        for index, argument in enumerate(a for a in call.args if not a.keyword and not a.star):
            parts += [" "] if index else []
            parts += _template(argument.value, module)
        template = _joined(parts)
        if any(isinstance(part, Field) for part in template):
            yield Printed(call, printer, template)


def _template(node: cst.BaseExpression, module: cst.Module) -> list[str | Field]:
    match node:
        case cst.ConcatenatedString(left=left, right=right):
            return [*_template(left, module), *_template(right, module)]
        case cst.FormattedString(parts=parts):
            return [piece for part in parts for piece in _formatted(part, module)]
        case cst.BinaryOperation(left=left, operator=cst.Modulo(), right=right) if isinstance(literal_value(left), str):
            return _percent(str(literal_value(left)), right, module)
        case cst.BinaryOperation(left=left, operator=cst.Add(), right=right):
            return [*_template(left, module), *_template(right, module)]
        case cst.Call(func=cst.Attribute(value=text, attr=cst.Name(value="format")), args=args):
            if isinstance(pattern := literal_value(text), str):
                return _format(pattern, [module.code_for_node(a.value) for a in args])
        case cst.Call(func=cst.Name(value="str"), args=[only]):
            return [Field(module.code_for_node(only.value))]
    value = literal_value(node)
    return [value] if isinstance(value, str) else [Field(module.code_for_node(node))]


def _formatted(part: cst.BaseFormattedStringContent, module: cst.Module) -> list[str | Field]:
    if isinstance(part, cst.FormattedStringExpression):
        code = module.code_for_node(part.expression)
        return [f"{code}=", Field(code)] if part.equal else [Field(code)]
    if isinstance(part, cst.FormattedStringText):
        text = part.value.replace("{{", "{").replace("}}", "}")
        return [text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")]
    return []


def _percent(pattern: str, right: cst.BaseExpression, module: cst.Module) -> list[str | Field]:
    """`"%s: %d/%d = %.2f%%" % (...)`."""
    values = [e.value for e in right.elements] if isinstance(right, cst.Tuple) else [right]
    codes = iter([module.code_for_node(value) for value in values])
    parts: list[str | Field] = []
    text, at = "", 0
    while at < len(pattern):
        if pattern[at] != "%":
            text, at = text + pattern[at], at + 1
            continue
        end = at + 1
        while end < len(pattern) and not pattern[end].isalpha() and pattern[end] != "%":
            end += 1
        if pattern[end : end + 1] == "%":
            text += "%"
        else:
            parts += [text, Field(next(codes, ""))]
            text = ""
        at = end + 1
    return [*parts, text]


def _format(pattern: str, codes: list[str]) -> list[str | Field]:
    parts: list[str | Field] = []
    left = iter(codes)
    try:
        for text, name, _, _ in string.Formatter().parse(pattern):
            parts.append(text)
            if name is not None:
                parts.append(Field(name if name and not name.isdigit() else next(left, name)))
    except ValueError:
        return [pattern]
    return parts


def _joined(parts: list[str | Field]) -> Template:
    """Neighbouring literals put together, empty ones dropped."""
    joined: list[str | Field] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)

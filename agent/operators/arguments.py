"""An operator's arguments: text that a proposer or a language model wrote, so checked before use."""

import ast
from collections.abc import Mapping
from textwrap import dedent

import libcst as cst

from ...targets.errors import OperatorError
from ..readable import UnreadableError
from ..syntax import parse_cst


def required(args: Mapping[str, str], name: str) -> str:
    """The argument's text. OperatorError when it is missing, not text, or blank."""
    value = args.get(name)
    if not isinstance(value, str) or not value.strip():
        raise OperatorError(f"argument {name!r} is missing or empty", found=", ".join(sorted(args)) or "no arguments")
    return value


def only(args: Mapping[str, str], *allowed: str) -> None:
    """OperatorError when there is an argument that the operator does not know."""
    if unknown := sorted(set(args) - set(allowed)):
        raise OperatorError("unknown argument", wanted=", ".join(allowed), found=", ".join(unknown))


def choice(args: Mapping[str, str], name: str, *allowed: str) -> str:
    value = required(args, name)
    if value not in allowed:
        raise OperatorError(f"argument {name!r}", wanted=" or ".join(allowed), found=value)
    return value


def nth(args: Mapping[str, str]) -> int | None:
    """Which of several equal places is meant, counted from 1; None when not said."""
    text = args.get("nth")
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 10_000:
        raise OperatorError("argument 'nth'", wanted="a whole number from 1", found=text)
    return int(text[:9])


def statements(text: str, module: cst.Module) -> list[cst.BaseStatement]:
    """The parsed statements, at least one, ready to stand in `module`, comments included."""
    source = dedent(text).strip("\n") + "\n"
    parsed = _parsed(source)
    if not parsed.body:
        raise OperatorError("wanted at least one statement", found=text)
    body: list[cst.BaseStatement] = list(parsed.body)
    if parsed.header:  # a comment above the first statement is the file's header to libcst
        body[0] = body[0].with_changes(leading_lines=[*parsed.header, *getattr(body[0], "leading_lines", ())])
    return body


def expression(text: str) -> cst.BaseExpression:
    """The parsed expression. OperatorError when the text is anything more or less."""
    parsed = _parsed(f"({text.strip()}\n)")
    if len(parsed.body) == 1 and isinstance(parsed.body[0], cst.SimpleStatementLine):
        small = parsed.body[0].body
        if len(small) == 1 and isinstance(small[0], cst.Expr):
            inner = _unparenthesised(text.strip())
            if inner is not None:
                return inner
            return small[0].value
    raise OperatorError("wanted one expression", found=text)


def _unparenthesised(text: str) -> cst.BaseExpression | None:
    try:
        return cst.parse_expression(text)
    except cst.ParserSyntaxError:
        return None  # spans lines, so it keeps the parentheses


def normal_expression(text: str) -> str:
    """The expression in one spelling, whatever its spaces, quotes and line breaks; empty when it is not one."""
    try:
        return ast.unparse(ast.parse(f"({text.strip()}\n)", mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _parsed(source: str) -> cst.Module:
    try:
        return parse_cst(source.encode())
    except (UnreadableError, UnicodeError) as error:
        raise OperatorError(f"the argument is not Python: {error}") from error

"""Puts statements into a function, class or module: before or after an anchor, or first or last in the body."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .anchors import Anchor, reads, refuse_beside
from .arguments import choice, nth, only, required, statements
from .definitions import Place, edit_definition


class InsertStatement:
    """Arguments: `code`; `where` (before, after, first, last); for before and after `anchor`, and `nth` if it repeats.

    `first` means after the docstring. What stands there already is refused.
    """

    name = "insert_statement"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "code", "where", "anchor", "nth")
        where = choice(args, "where", "before", "after", "first", "last")
        new = statements(required(args, "code"), module)
        if where in ("first", "last"):
            return edit_definition(module, symbol, lambda place: _at_end(place, new, where))
        anchor = Anchor.of(required(args, "anchor"), nth(args))
        at = 1 if where == "after" else -len(new)
        return edit_definition(
            module,
            symbol,
            lambda place: anchor.rewrite(place, lambda old: _beside(old, new, where), refuse_beside(new, at, at)),
        )


def _beside(old: cst.BaseStatement, new: list[cst.BaseStatement], where: str) -> list[cst.BaseStatement]:
    if where == "after":
        return [old, *new]
    # Blank lines stay above both; a comment stays with the statement it is about.
    lines = list(getattr(old, "leading_lines", ()))
    blank = next((i for i, line in enumerate(lines) if line.comment is not None), len(lines))
    first = new[0].with_changes(leading_lines=[*lines[:blank], *getattr(new[0], "leading_lines", ())])
    return [first, *new[1:], old.with_changes(leading_lines=lines[blank:])]


def _at_end(place: Place, new: list[cst.BaseStatement], where: str) -> Place:
    if isinstance(place, cst.Module):
        return place.with_changes(body=_joined(list(place.body), new, where))
    if not isinstance(place.body, cst.IndentedBlock):
        raise OperatorError("the body stands on the same line as the header", where=place.name.value)
    body = list(place.body.body)
    return place.with_changes(body=place.body.with_changes(body=_joined(body, new, where)))


def _joined(
    body: list[cst.SimpleStatementLine | cst.BaseCompoundStatement] | list[cst.BaseStatement],
    new: list[cst.BaseStatement],
    where: str,
) -> list[cst.BaseStatement]:
    start = len(body)
    if where == "first":
        start = 1 if body and _is_docstring(body[0]) else 0
    there = body[start : start + len(new)] if where == "first" else body[-len(new) :]
    if reads(there) == reads(new):
        raise OperatorError("the statements stand there already", found=reads(new)[0])
    return [*body[:start], *new, *body[start:]]


def _is_docstring(statement: cst.BaseStatement) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )

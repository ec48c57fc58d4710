"""Applies edits to files in memory, and proves that each changed only the symbol it names."""

import ast
from collections.abc import Mapping, Sequence
from typing import cast

from ...targets.errors import OperatorError
from ..proposal import Edit
from ..readable import UnreadableError, parse
from ..syntax import parse_cst
from . import OPERATORS
from .base import Operator, TextOperator
from .spans import spans_in, spans_of
from .splice import spliced


def apply_edits(sources: Mapping[str, bytes], edits: Sequence[Edit]) -> dict[str, bytes]:
    """The files that changed, by path, after all `edits` in order; every other byte of them is as it was.

    Raises:
        OperatorError: an edit does not apply, reaches beyond the symbol it names, leaves a file that does not parse,
            or all edits together change nothing.
    """
    changed: dict[str, bytes] = {}
    for edit in edits:
        before = changed.get(edit.file, sources.get(edit.file))
        if before is None:
            raise OperatorError("no such file among those that could be read", wanted=edit.file)
        changed[edit.file] = _apply(before, edit)
    result = {file: data for file, data in changed.items() if data != sources[file]}
    if not result:
        raise OperatorError("the edits change nothing")
    return result


def _apply(before: bytes, edit: Edit) -> bytes:
    where = f"{edit.file}::{edit.symbol}" if edit.symbol else edit.file
    operator = OPERATORS.get(edit.operator)
    if operator is None:
        raise OperatorError("no such operator", wanted=", ".join(sorted(OPERATORS)), found=edit.operator, where=where)
    try:
        if hasattr(operator, "apply_text"):
            return cast(TextOperator, operator).apply_text(before.decode(), edit.symbol, edit.arguments).encode()
        return _apply_to_python(before, edit, operator)
    except OperatorError as error:
        raise OperatorError(f"{edit.operator}: {error}", where=where) from error
    except (UnreadableError, UnicodeError, RecursionError) as error:
        raise OperatorError(f"{edit.operator}: not readable: {error}", where=where) from error


def _apply_to_python(before: bytes, edit: Edit, operator: Operator) -> bytes:
    after = spliced(before, operator, edit.symbol, edit.arguments) if getattr(operator, "local", False) else None
    if after is None:
        after = _apply_to_file(before, edit, operator)
    if after == before:
        raise OperatorError("nothing would change")
    return after


def _apply_to_file(before: bytes, edit: Edit, operator: Operator) -> bytes:
    after = operator.apply(parse_cst(before), edit.symbol, edit.arguments).bytes
    if edit.symbol and (name := _nearest_definition(before, edit.symbol)):
        _refuse_reach(before, after, name)
    else:
        parse(after)
    return after


def _nearest_definition(data: bytes, symbol: str) -> str:
    """The longest leading part of `symbol` that is a definition: `Net.__init__` for `Net.__init__.Dropout.p`."""
    names = {span.name for span in spans_of(data)}
    parts = symbol.split(".")
    return next((n for i in range(len(parts), 0, -1) if (n := ".".join(parts[:i])) in names), "")


def _refuse_reach(before: bytes, after: bytes, name: str) -> None:
    if _outside(before, name) != _outside(after, name):
        raise OperatorError("the edit would reach beyond the symbol it names", wanted=name)


def _outside(data: bytes, name: str) -> list[str]:
    """Lines that belong neither to the definitions called `name` nor to an import at the top level."""
    text, tree = parse(data)
    lines: list[str | None] = list(text.split("\n"))
    spans = [(span.first, span.last) for span in spans_in(tree) if span.name == name]
    spans += [(s.lineno, s.end_lineno or s.lineno) for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    for first, last in spans:
        lines[first - 1 : last] = [None] * (last - first + 1)
    return [line for line in lines if line is not None]

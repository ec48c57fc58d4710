"""Adds an import after the ones a module has."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .anchors import head_of
from .arguments import only, required, statements


class AddImport:
    """Arguments: `code`, one import statement. The symbol is empty: imports belong to the module."""

    name = "add_import"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "code")
        text = required(args, "code")
        new = statements(text, module)
        if symbol:
            raise OperatorError("imports belong to the module", wanted="an empty symbol", found=symbol)
        if len(new) != 1 or not _is_import(new[0]):
            raise OperatorError("wanted one import statement", found=text)
        there = [s for s in module.body if _is_import(s)]
        if head_of(text) in {head_of(module.code_for_node(s.with_changes(leading_lines=()))) for s in there}:
            raise OperatorError("the import is already there", found=text)
        place = _after_imports(module)
        line = new[0]
        if place < len(module.body) and not there:
            line = line.with_changes(leading_lines=[])
        return module.with_changes(body=[*module.body[:place], line, *module.body[place:]])


def _after_imports(module: cst.Module) -> int:
    """After the first run of imports; where there is none, after the docstring."""
    place = 0
    for index, statement in enumerate(module.body):
        if _is_import(statement):
            place = index + 1
        elif place or not _is_string(statement):
            break
        else:
            place = index + 1
    return place


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(small, cst.Import | cst.ImportFrom) for small in statement.body
    )


def _is_string(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )

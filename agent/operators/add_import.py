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
        place = _place_for(module, new[0])
        return module.with_changes(body=[*module.body[:place], new[0], *module.body[place:]])


def _place_for(module: cst.Module, new: cst.CSTNode) -> int:
    """After the last import of the same package, if there is one in the first run of imports; else after that run."""
    end = _after_imports(module)
    same = [i for i, s in enumerate(module.body[:end]) if _is_import(s) and _package(s) == _package(new)]
    return same[-1] + 1 if same else end


def _package(statement: cst.CSTNode) -> str:
    """`torch` for `import torch.nn as nn` and for `from torch import nn`."""
    code = cst.Module([]).code_for_node(statement.with_changes(leading_lines=()))
    return code.split()[1].split(".")[0].rstrip(",")


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

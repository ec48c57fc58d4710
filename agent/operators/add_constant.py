"""A number gets a name at the top of its module, where a person and a tuner find it."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import only, required
from .leftovers import single_target
from .module_place import loaded_names


class AddConstant:
    """Writes `name = value` behind the imports of a module and the constants that follow them.

    The symbol is empty: the edit is the module's. Arguments: `name`, in capitals, and `value`, a literal.
    """

    name = "add_constant"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "name", "value")
        name, value = required(args, "name"), required(args, "value")
        if symbol:
            raise OperatorError("a constant is the module's own", wanted="an empty symbol", found=symbol)
        if not (name.isidentifier() and name.isupper()):
            raise OperatorError("not the name of a constant", wanted="capitals", found=name)
        if not _is_literal(value):
            raise OperatorError("not a literal", found=value)
        if name in loaded_names(module):
            raise OperatorError("the module already has that name, so the edit may have been made before", found=name)
        return _inserted(module, f"{name} = {value}")


def _is_literal(text: str) -> bool:
    try:
        value = cst.parse_expression(text)
    except cst.ParserSyntaxError:
        return False
    if isinstance(value, cst.UnaryOperation):
        value = value.expression
    return isinstance(value, cst.BaseNumber | cst.SimpleString) or text in ("True", "False")


def _inserted(module: cst.Module, text: str) -> cst.Module:
    body = list(module.body)
    place = 1 + max((i for i, statement in enumerate(body) if _heads_the_file(i, statement)), default=-1)
    follows_constants = False
    while place < len(body) and _is_constant(body[place]):
        place, follows_constants = place + 1, True
    line = cst.parse_statement(text)
    if place and not follows_constants:
        line = cst.ensure_type(line, cst.SimpleStatementLine).with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    body.insert(place, line)
    return module.with_changes(body=body)


def _heads_the_file(position: int, statement: cst.BaseStatement) -> bool:
    """An import, or the docstring of the module."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    small = statement.body[0]
    is_docstring = position == 0 and isinstance(small, cst.Expr) and isinstance(small.value, cst.BaseString)
    return is_docstring or isinstance(small, cst.Import | cst.ImportFrom)


def _is_constant(statement: cst.BaseStatement) -> bool:
    target = single_target(statement) if isinstance(statement, cst.SimpleStatementLine) else None
    return target is not None and target.isupper()

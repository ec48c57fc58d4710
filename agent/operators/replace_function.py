"""Writes a function anew: the edit for what no smaller operator can say."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import only, required, statements
from .definitions import Place, edit_definition


class ReplaceFunction:
    """Arguments: `code`, one `def` (or `class`) of the same name. The comments above the old one stay."""

    name = "replace_function"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "code")
        new = statements(required(args, "code"), module)
        name = symbol.rpartition(".")[2]
        if len(new) != 1 or not isinstance(new[0], cst.FunctionDef | cst.ClassDef) or new[0].name.value != name:
            raise OperatorError("wanted one definition", wanted=name or "a symbol", found=args["code"][:80])
        definition = new[0]

        def change(place: Place) -> Place | None:
            if type(place) is not type(definition):
                raise OperatorError("a function stays a function, a class a class", where=symbol)
            return definition.with_changes(
                leading_lines=place.leading_lines,
                lines_after_decorators=definition.lines_after_decorators,
            )

        return edit_definition(module, symbol, change)

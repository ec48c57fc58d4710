"""Finds one call inside a symbol and changes it."""

from collections.abc import Callable

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import normal_expression
from .definitions import Place, edit_definition


def edit_call(
    module: cst.Module, symbol: str, call: str, which: int | None, change: Callable[[cst.Call], cst.Call]
) -> cst.Module:
    """`module` with the call that reads `call`, whole or its callee alone, changed.

    Raises:
        OperatorError: no such call in `symbol`, or several and `which` does not choose one.
    """
    wanted = normal_expression(call)
    if not wanted:
        raise OperatorError("argument 'call' is not an expression", found=call)

    def edit(place: Place) -> Place | None:
        found = _calls(module, place, wanted)
        if not found or (which or 1) > len(found):
            return None
        if which is None and len(found) > 1:
            raise OperatorError(f"{len(found)} calls read the same; argument nth says which", found=wanted)
        chosen = found[(which or 1) - 1]
        changed = place.deep_replace(chosen, change(chosen))
        return changed if isinstance(changed, cst.Module | cst.FunctionDef | cst.ClassDef) else None

    return edit_definition(module, symbol, edit)


def _calls(module: cst.Module, place: Place, wanted: str) -> list[cst.Call]:
    found: list[cst.Call] = []

    class Collect(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            if isinstance(node, cst.Call) and wanted in (
                normal_expression(module.code_for_node(node.func)),
                normal_expression(module.code_for_node(node)),
            ):
                found.append(node)
            return not (isinstance(place, cst.Module) and isinstance(node, cst.FunctionDef | cst.ClassDef))

    place.visit(Collect())
    return found

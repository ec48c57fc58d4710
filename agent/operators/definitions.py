"""Changes the definition an edit names, and nothing beside it."""

from collections.abc import Callable

import libcst as cst

from ...targets.errors import OperatorError

Place = cst.Module | cst.FunctionDef | cst.ClassDef
Change = Callable[[Place], Place | None]


def edit_definition(module: cst.Module, symbol: str, change: Change) -> cst.Module:
    """`module` with the class or function `symbol` (the module itself when empty) replaced by what `change` makes of it.

    A name that is defined several times, such as a property and its setter, is tried in order: `change` answers None
    where it finds nothing to do.

    Raises:
        OperatorError: there is no such definition, or `change` found its place in none of them.
    """
    if not symbol:
        changed = change(module)
        if isinstance(changed, cst.Module):
            return changed
        raise OperatorError("the place is not there", where="module level")
    walk = _Walk(symbol.split("."), change)
    result = module.visit(walk)
    if not walk.seen:
        raise OperatorError("no such class or function", wanted=symbol)
    if not walk.done:
        raise OperatorError("the place is not there", where=symbol)
    return result


class _Walk(cst.CSTTransformer):
    """Descends only into the definitions around the named one."""

    def __init__(self, path: list[str], change: Change) -> None:
        super().__init__()
        self._path = path
        self._change = change
        self._here: list[str] = []
        self.seen = False
        self.done = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return self._enter(node)

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return self._enter(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.BaseStatement:
        return self._leave(updated_node)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.BaseStatement:
        return self._leave(updated_node)

    def _enter(self, node: cst.FunctionDef | cst.ClassDef) -> bool:
        self._here.append(node.name.value)
        # Not into the named one itself: whoever changes it walks it again.
        return not self.done and len(self._here) < len(self._path) and self._here == self._path[: len(self._here)]

    def _leave(self, node: cst.FunctionDef | cst.ClassDef) -> cst.BaseStatement:
        here = list(self._here)
        self._here.pop()
        if here != self._path or self.done:
            return node
        self.seen = True
        changed = self._change(node)
        if changed is None or isinstance(changed, cst.Module):
            return node
        self.done = True
        return changed

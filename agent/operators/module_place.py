"""Finding a symbol in a parsed module, and the names it reads."""

import libcst as cst

from ...targets.errors import OperatorError

Definition = cst.FunctionDef | cst.ClassDef


def find_definition(module: cst.Module, symbol: str) -> Definition | cst.Module:
    """The class or function of that qualified name; the module itself for an empty one. OperatorError when absent."""
    place: Definition | cst.Module = module
    for part in symbol.split(".") if symbol else ():
        found = [node for node in definitions_in(place) if node.name.value == part]
        if not found:
            raise OperatorError("no such class or function", wanted=symbol)
        # The last definition of a name is the one that counts.
        place = found[-1]
    return place


def definitions_in(place: Definition | cst.Module) -> list[Definition]:
    """Classes and functions directly inside, also those under an `if` or `try`."""
    found: list[Definition] = []

    class Collect(cst.CSTVisitor):
        def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
            return self._take(node)

        def visit_ClassDef(self, node: cst.ClassDef) -> bool:
            return self._take(node)

        def _take(self, node: Definition) -> bool:
            if node is place:
                return True
            found.append(node)
            return False

    place.visit(Collect())
    return found


def method(definition: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    return next(
        (n for n in definitions_in(definition) if isinstance(n, cst.FunctionDef) and n.name.value == name), None
    )


def parameters(function: cst.FunctionDef) -> list[str]:
    """Names of the parameters in order, `self` included, stars excluded."""
    params = function.params
    return [p.name.value for p in (*params.posonly_params, *params.params, *params.kwonly_params)]


def loaded_names(node: cst.CSTNode) -> list[str]:
    """Every name that occurs in `node` in order; names of attributes and of keyword arguments do not count."""
    names: list[str] = []

    class Collect(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            names.append(node.value)

        def visit_Attribute(self, node: cst.Attribute) -> bool:
            node.value.visit(self)
            return False

        def visit_Arg(self, node: cst.Arg) -> bool:
            node.value.visit(self)
            return False

    node.visit(Collect())
    return names

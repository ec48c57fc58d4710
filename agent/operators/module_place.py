"""Finding a symbol in a parsed module, and putting a constant beside the others."""

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


def add_constant(module: cst.Module, text: str) -> cst.Module:
    """`module` with the assignment `text` after its imports and the constants that follow them.

    OperatorError when the name is taken.
    """
    name = text.split("=")[0].strip()
    if name in loaded_names(module):
        raise OperatorError("the module already has that name, so the edit may have been made before", found=name)
    body = list(module.body)
    last_import = max((i for i, s in enumerate(body) if _is_import(s)), default=-1 if not module.body else 0)
    place = last_import + 1
    while place < len(body) and _is_constant(body[place]):
        place += 1
    blank = [] if place > last_import + 1 else [cst.EmptyLine(indent=False)]
    line = cst.ensure_type(cst.parse_statement(text), cst.SimpleStatementLine)
    body.insert(place, line.with_changes(leading_lines=[*blank, *line.leading_lines]))
    return module.with_changes(body=body)


def _is_import(statement: cst.BaseStatement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and any(
        isinstance(small, cst.Import | cst.ImportFrom) for small in statement.body
    )


def _is_constant(statement: cst.BaseStatement) -> bool:
    """`NAME = value` in capitals."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    small = statement.body[0]
    if isinstance(small, cst.Assign):
        target = small.targets[0].target
    elif isinstance(small, cst.AnnAssign):
        target = small.target
    else:
        return False
    return isinstance(target, cst.Name) and target.value.isupper()

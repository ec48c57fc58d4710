"""Takes out what an edit left without a use."""

import libcst as cst

from .module_place import Definition, find_definition, loaded_names


def drop_unused_assignments(module: cst.Module, symbol: str, *, within: cst.CSTNode) -> cst.Module:
    """`module` without assignments directly in `symbol` that only served the replaced code `within`.

    Only names that `within` used are looked at, and those that the dropped assignments used in turn; only values
    made by a call, such as an optimizer or a criterion, are dropped.
    """
    suspects = set(loaded_names(within))
    while True:
        place = find_definition(module, symbol)
        names = loaded_names(place)
        unused = next(
            (
                line
                for line in _statements(place)
                if (name := _assigned_call(line)) in suspects and name is not None and names.count(name) == 1
            ),
            None,
        )
        if unused is None:
            return module
        suspects |= set(loaded_names(unused))
        module = cst.ensure_type(module.deep_remove(unused), cst.Module)


def _statements(place: Definition | cst.Module) -> list[cst.SimpleStatementLine]:
    body = place.body if isinstance(place, cst.Module) else place.body.body
    return [line for line in body if isinstance(line, cst.SimpleStatementLine)]


def _assigned_call(line: cst.SimpleStatementLine) -> str | None:
    value = line.body[0].value if len(line.body) == 1 and isinstance(line.body[0], cst.Assign) else None
    return single_target(line) if isinstance(value, cst.Call) else None


def single_target(line: cst.SimpleStatementLine) -> str | None:
    """The name that an assignment with one plain target gives a value to, None for any other statement."""
    if len(line.body) != 1:
        return None
    small = line.body[0]
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        target: cst.BaseExpression = small.targets[0].target
    elif isinstance(small, cst.AnnAssign):
        target = small.target
    else:
        return None
    return target.value if isinstance(target, cst.Name) else None

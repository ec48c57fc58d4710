"""Expressions of a module, found by their source text."""

import libcst as cst


def expressions_written(module: cst.Module, place: cst.CSTNode, text: str) -> list[cst.BaseExpression]:
    """Expressions inside `place` whose source is exactly `text`."""
    found: list[cst.BaseExpression] = []

    class Collect(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            if isinstance(node, cst.BaseExpression) and module.code_for_node(node) == text:
                found.append(node)
                return False
            return True

    place.visit(Collect())
    return found

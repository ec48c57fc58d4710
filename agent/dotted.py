"""Names in a libcst tree."""

import libcst as cst

from .tree_walk import nodes


def dotted_name(node: cst.BaseExpression) -> str:
    """`a.b.c` of a chain of attributes on a name; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return ""
    return ".".join([node.value, *reversed(parts)])


def import_aliases(module: cst.Module) -> dict[str, str]:
    """Local name to the dotted name it was imported as; relative imports keep their dots."""
    aliases: dict[str, str] = {}
    for node in nodes(module):
        if isinstance(node, cst.Import):
            for alias in node.names:
                if alias.asname:
                    aliases[_text(alias.asname.name)] = _text(alias.name)
        elif isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
            base = "." * len(node.relative) + (_text(node.module) if node.module else "")
            for alias in node.names:
                name = _text(alias.name)
                aliases[_text(alias.asname.name) if alias.asname else name] = f"{base}.{name}"
    return aliases


def _text(node: cst.CSTNode) -> str:
    return dotted_name(node) if isinstance(node, cst.BaseExpression) else ""

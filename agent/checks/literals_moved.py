"""Compares two versions of a file literal by literal: what changed, if nothing but literals did."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..facts import Text
from ..prompt_texts import FILE_WORDS, prompts_in

Moved = Literal["nothing", "values", "prompts", "structure"]


@dataclass(frozen=True, slots=True)
class Literals:
    """A file as its structure, with every literal taken out, and the literals in order with the name nearest to each."""

    structure: str
    values: tuple[tuple[str, Any], ...]


def moved(before: Literals, after: Literals) -> Moved:
    """What changed. Prompts and other values together are `values`: they are more than a change of wording."""
    if before.structure != after.structure or len(before.values) != len(after.values):
        return "structure"
    changed = [
        is_prompt(old, name) or is_prompt(new, name)
        for (name, old), (_, new) in zip(before.values, after.values, strict=True)
        if repr(old) != repr(new)
    ]
    if not changed:
        return "nothing"
    return "prompts" if all(changed) else "values"


def is_prompt(value: object, name: str = "") -> bool:
    """Whether a string is an instruction to a language model, by its words or by the name it is bound to."""
    if not isinstance(value, str):
        return False
    named = any(word in name.lower() for word in FILE_WORDS)
    return (named and " " in value.strip()) or bool(prompts_in("", [Text(1, "", value, ())]))


def literals_of_code(tree: ast.Module) -> Literals:
    """The literals of a Python file, docstrings excluded. A sign belongs to its number: `-1` and `1` are both values."""
    bare = without_docstrings(tree)
    found = tuple(_constants(bare, ""))
    return Literals(ast.dump(_Masked().visit(bare)), found)


def literals_of_config(value: Any) -> Literals:
    """The leaves of a configuration's values."""
    leaves: list[tuple[str, Any]] = []

    def mask(node: Any, name: str) -> Any:
        if isinstance(node, dict):
            return {repr(key): mask(inner, str(key)) for key, inner in node.items()}
        if isinstance(node, list):
            return [mask(inner, name) for inner in node]
        leaves.append((name, node))
        return None

    return Literals(repr(mask(value, "")), tuple(leaves))


def without_docstrings(tree: ast.Module) -> ast.Module:
    """A copy with every docstring emptied."""
    copied = ast.parse(ast.unparse(tree))
    for node in ast.walk(copied):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                value.value = ""
    return copied


class _Masked(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Name("literal", ast.Load())

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.USub | ast.UAdd) and isinstance(node.operand, ast.Constant):
            return ast.Name("literal", ast.Load())
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        # The text between two fields may come and go; the fields and their order are structure.
        node.values = [value for value in node.values if not isinstance(value, ast.Constant)]
        return self.generic_visit(node)


def _constants(node: ast.AST, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.JoinedStr):
        yield name, "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield from _constants(value, name)
        return
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub | ast.UAdd)
        and isinstance(node.operand, ast.Constant)
    ):
        yield name, ast.unparse(node)
        return
    if isinstance(node, ast.Constant):
        yield name, node.value
    for child in ast.iter_child_nodes(node):
        yield from _constants(child, _nearest_name(node) or name)


def _nearest_name(parent: ast.AST) -> str:
    if isinstance(parent, ast.keyword):
        return parent.arg or ""
    if isinstance(parent, ast.Assign):
        return ast.unparse(parent.targets[0])
    if isinstance(parent, ast.AnnAssign):
        return ast.unparse(parent.target)
    return ""

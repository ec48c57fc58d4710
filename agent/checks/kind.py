"""What kind of edit a change is, proved on the syntax tree whatever its proposer said."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from ..prompt_texts import fields_of
from ..proposal import Kind
from ..readable import UnreadableError, parse

CONFIGURATION = frozenset({".yaml", ".yml", ".toml", ".json", ".ini", ".cfg"})
PROMPT_WORDS = 6
"""A string of at least this many words, or with fields and words, is read as a prompt."""


def prove_kind(before: Mapping[str, bytes | None], after: Mapping[str, bytes | None], claimed: Kind) -> Kind:
    """`hyperparameter` when only literals moved, `prompt` when only prompt texts did, else what was claimed.

    A claimed `hyperparameter` that changes structure is `architecture` when a class changed, else `bug_fix`.
    """
    found = {_kind_of(file, before.get(file), after[file]) for file in sorted(after)}
    if found <= {"literals"}:
        return "hyperparameter"
    if found <= {"literals", "prompt"}:
        return "prompt"
    if claimed in ("hyperparameter", "prompt"):
        return "architecture" if "class" in found else "bug_fix"
    return claimed


def _kind_of(file: str, before: bytes | None, after: bytes | None) -> str:
    suffix = PurePosixPath(file).suffix
    if before is None or after is None:
        return "structure"
    if suffix in CONFIGURATION:
        return "literals"
    if suffix != ".py":
        return "prompt"
    try:
        old, new = parse(before)[1], parse(after)[1]
    except UnreadableError:
        return "structure"
    if _skeleton(old) != _skeleton(new):
        return "class" if _classes(old) != _classes(new) else "structure"
    moved = [text for text in _strings(new) if text not in set(_strings(old))]
    return "prompt" if any(_is_prompt(text) for text in moved) else "literals"


class _Blank(ast.NodeTransformer):
    """Every literal replaced by its type, and a sign before a number dropped."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if node.value is None or isinstance(node.value, bool):
            return ast.Constant("a switch") if node.value is not None else node
        return ast.Constant("text" if isinstance(node.value, str | bytes) else "a number")

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        inner = self.visit(node.operand)
        signed = isinstance(node.op, ast.USub | ast.UAdd) and isinstance(inner, ast.Constant)
        return inner if signed else ast.UnaryOp(node.op, inner)


def _skeleton(tree: ast.AST) -> str:
    return ast.dump(_Blank().visit(ast.parse(ast.unparse(tree))))


def _classes(tree: ast.AST) -> list[str]:
    return [ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _strings(tree: ast.AST) -> Iterator[str]:
    return (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def _is_prompt(text: str) -> bool:
    return len(text.split()) >= PROMPT_WORDS or (bool(fields_of(text)) and " " in text.strip())

"""Where the classes and functions of a file stand: qualified names and lines."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..readable import parse


@dataclass(frozen=True, slots=True)
class Span:
    """One class or function."""

    name: str
    """Qualified inside the file: `Net.forward`."""
    first: int
    """Line of the first decorator, else of the header; from 1."""
    last: int
    around: tuple["Span", ...]
    """The definitions it stands in, outermost first."""
    keyword: str
    """`class` or `def`."""


@lru_cache(maxsize=64)
def spans_of(data: bytes) -> tuple[Span, ...]:
    """Every class and function of a file, outer before inner. Raises: UnreadableError as `readable.parse`."""
    return spans_in(_tree(data))


@lru_cache(maxsize=64)
def blocks_of(data: bytes) -> tuple[tuple[int, int], ...]:
    """First and last line of every statement at the top of a file, decorators included."""
    body = _tree(data).body
    firsts = [min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) for node in body]
    return tuple((first, node.end_lineno or first) for first, node in zip(firsts, body, strict=True))


@lru_cache(maxsize=1)
def _tree(data: bytes) -> ast.Module:
    """Both of the above are asked of one file in a row."""
    return parse(data)[1]


def spans_in(tree: ast.Module) -> tuple[Span, ...]:
    """The same for a file that is parsed already."""
    return tuple(_below(tree, ()))


def _below(node: ast.AST, around: tuple[Span, ...]) -> Iterator[Span]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            prefix = f"{around[-1].name}." if around else ""
            first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
            keyword = "class" if isinstance(child, ast.ClassDef) else "def"
            span = Span(prefix + child.name, first, child.end_lineno or first, around, keyword)
            yield span
            yield from _below(child, (*around, span))
        elif not isinstance(child, ast.expr):
            yield from _below(child, around)

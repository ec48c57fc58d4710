"""The query is split into words in another way than the indexed documents were.

Why it hurts: `Paris` never meets `paris`. Lexical search then finds only what happens to be spelled as in the index; names,
which start with capitals, suffer most. Source: arXiv 2604.01007 (recall by case of names).

    before                                                      after
        index = BM25Okapi([d.lower().split() for d in docs])        index = BM25Okapi([d.lower().split() for d in docs])
        scores = index.get_scores(query.split())                    scores = index.get_scores(query.lower().split())

Silent: the same steps in another order of names, tokenizers that are not seen, queries made ready elsewhere.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Evidence
from ..base import Finding
from ..program import Program, called_name
from ..source import Function

_INDEXES = frozenset({"BM25Okapi", "BM25Plus", "BM25L", "BM25"})
_QUERIES = frozenset({"get_scores", "get_top_n", "get_batch_scores"})
_STEPS = frozenset({"lower", "casefold", "split", "strip", "upper"})
Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenisedDifferently:
    name: str = "tokenised_differently"

    def detect(self, program: Program) -> Iterable[Finding]:
        built = list(_built(program))
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in _QUERIES or not call.args or not (asked := _query(call.args[0], function)):
                    continue
                known = {(steps, made) for steps, home, made in built if home.source is function.source}
                steps, expression = asked
                if len({way for way, _ in known}) == 1:
                    ((expected, made), *_) = known
                    if expected != steps and _are_alike(expected, steps):
                        index = Evidence(function.source.path, made.lineno, "indexed here")
                        yield self._finding(expression, steps, expected, function, index)

    def _finding(self, node: ast.expr, steps: Steps, expected: Steps, function: Function, index: Evidence) -> Finding:
        root = _root(node)
        return Finding(
            self.name, function.source.path, node.lineno, function.name, "Split the query as the documents were split",
            f"Documents went through {_said(expected)} before they were indexed, the query goes through {_said(steps)}: equal "
            "words do not meet.",
            (function.replace(node, _written(root, expected)),) if _are_methods(expected) else (), (index,), confidence="high",
        )  # fmt: skip


def _built(program: Program) -> Iterator[tuple[Steps, Function, ast.expr]]:
    for function in program.functions:
        for call in function.calls:
            if called_name(call) in _INDEXES and call.args:
                for value, home in program.values(call.args[0], function):
                    if isinstance(value, ast.ListComp):
                        yield _steps(value.elt), home, value


def _query(node: ast.expr, function: Function) -> tuple[Steps, ast.expr] | None:
    """How a query was split, when it is split in sight: at the call, or where its name was set."""
    if isinstance(node, ast.Name):
        value = function.last_value(node.id, node.lineno)
        if value is None:
            return None
        node = value
    steps = _steps(node)
    return (steps, node) if steps else None


def _steps(node: ast.expr) -> Steps:
    """`lower, split` for `text.lower().split()`, `tokenize` for `tokenize(text)`; empty for what is neither."""
    found: list[str] = []
    while isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in _STEPS:
            found.append(ast.unparse(node).removeprefix(ast.unparse(node.func.value)).lstrip("."))
            node = node.func.value
        elif len(node.args) == 1 and not node.keywords and ast.unparse(node.func).rpartition(".")[2] != "join":
            found.append(ast.unparse(node.func).rpartition(".")[2])
            node = node.args[0]
        else:
            break
    return tuple(reversed(found))


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STEPS:
        node = node.func.value
    return node


def _are_alike(one: Steps, other: Steps) -> bool:
    """Whether both are methods of text, or both tokenizers by name: of anything else it is not known what it does."""
    if _are_methods(one) and _are_methods(other):
        return bool(one) and bool(other)
    return all(len(steps) == 1 and "token" in steps[0].lower() for steps in (one, other))


def _are_methods(steps: Steps) -> bool:
    """Whether every step is a method of text: another function may not be known where the query is made."""
    return all(step.endswith(")") for step in steps)


def _written(root: ast.expr, steps: Steps) -> str:
    return ".".join((ast.unparse(root), *steps))


def _said(steps: Steps) -> str:
    return f"`{', '.join(steps)}`" if steps else "no step at all"

"""Answers written into the code: a table from examples, or from the text of questions, to constants.

    ANSWERS = {"What is the capital of France?": "Paris", ...}
    return ANSWERS.get(question)

Silent: names of classes, prompts by task, configuration, vocabularies, month names: tables whose keys are no examples.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..proposers.defects.source import Function, words
from .base import AuditFinding
from .scene import Scene, names_in

FEWEST = 4
"""Entries of a table, or branches of a chain."""
_ASKED = frozenset("question questions query queries prompt text sentence utterance".split())
_EXAMPLE = frozenset("qid uid example sample sha hash digest hexdigest md5 filename".split())
_EXAMPLE_ID = re.compile(r"([a-z]{1,12}[-_]?)?\d{1,9}|[0-9a-f]{8,64}|[0-9a-f-]{36}", re.I)
_SENTENCE = re.compile(r"\S+(\s+\S+){3,}|.*\?\s*")


@dataclass(frozen=True, slots=True)
class HardCodedAnswers:
    name: str = "hard_coded_answers"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        tables = {name: node for f in scene.prediction for name, node in _tables(f)}
        for function in scene.prediction:
            for node in function.own:
                if (use := _looked_up(node)) and use[0] in tables and _is_of_examples(tables[use[0]], use[1]):
                    size = len(tables[use[0]].keys)
                    yield self._finding(
                        function, node, f"`{use[0]}` holds {size} answers, looked up by `{ast.unparse(use[1])[:40]}`"
                    )
            for chain in _chains(function):
                yield self._finding(function, chain, "A chain of conditions on the question returns constants")

    def _finding(self, function: Function, node: ast.AST, title: str) -> AuditFinding:
        return AuditFinding(
            self.name, "high", function.source.path, getattr(node, "lineno", 1), f"{title} on the prediction path",
            "Examples that the table knows are answered without a model: the score counts what somebody wrote down.",
            "Take the table out of the prediction, and score on examples nobody has seen.",
        )  # fmt: skip


def _tables(function: Function) -> Iterator[tuple[str, ast.Dict]]:
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as table) if len(table.keys) >= FEWEST:
                pairs = [*table.keys, *table.values]
                if all(isinstance(p, ast.Constant) for p in pairs):
                    yield name, table


def _looked_up(node: ast.AST) -> tuple[str, ast.expr] | None:
    """The table and the key of `TABLE[key]` and `TABLE.get(key)`."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=key, ctx=ast.Load()) if not isinstance(key, ast.Constant):
            return name, key
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=[key, *_]):
            return name, key
    return None


def _is_of_examples(table: ast.Dict, key: ast.expr) -> bool:
    """Whether most keys are sentences; or look like ids of examples and are looked up by what names an example."""
    keys = [k.value for k in table.keys if isinstance(k, ast.Constant)]
    said = {word for name in _written(key) for word in words(name)}
    sentences = sum(isinstance(k, str) and bool(_SENTENCE.fullmatch(k)) for k in keys)
    if 2 * sentences > len(keys):
        return bool(said & (_ASKED | _EXAMPLE)) or sentences == len(keys)
    ids = sum(isinstance(k, int) or (isinstance(k, str) and bool(_EXAMPLE_ID.fullmatch(k))) for k in keys)
    return 2 * ids > len(keys) and bool(said & _EXAMPLE)


def _written(node: ast.AST) -> Iterator[str]:
    yield from names_in(node)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _chains(function: Function) -> Iterator[ast.If]:
    """`if "capital" in question: return "Paris"`, four times and more in one function."""
    found = [node for node in function.own if isinstance(node, ast.If) and _branch(node)]
    if len(found) >= FEWEST:
        yield found[0]


def _branch(node: ast.If) -> bool:
    match node.test, node.body:
        case (
            ast.Compare(left=left, ops=[ast.Eq() | ast.In()], comparators=[right]),
            [ast.Return(value=ast.Constant(value=str() | int() | float()))],
        ):
            sides = (left, right)
            texts = [s for s in sides if isinstance(s, ast.Constant) and isinstance(s.value, str)]
            asked = [s for s in sides if {"question", "query", "qid"} & {w for n in _written(s) for w in words(n)}]
            return len(texts) == 1 and bool(asked) and asked != texts
    return False

"""A reply that holds no answer becomes an answer of its own: a number or a label in the range of the real ones.

Why it hurts: refusals, cut replies and other formats are counted as a middling score or as one of the classes. The average moves
and nobody sees how many replies were never read. Source: seen in public fix histories; Shao et al., ICSE 2025.

    before                                              after (advised)
        found = re.search(r"\\d+", reply)                    found = re.search(r"\\d+", reply)
        return int(found.group()) if found else 5           if found is None:
                                                                raise ValueError(f"no score in {reply[:80]!r}")
                                                            return int(found.group())

Silent: defaults that cannot be an answer (None, NaN, -1), text that is no model's reply, and branches that log.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Evidence
from ..base import Finding
from ..program import Program
from ..source import Function, words
from .model_calls import handed_reply, origin

_NO_ANSWER = ("unknown", "none", "error", "invalid", "n/a", "unpars", "fail", "missing", "not found")
_SEARCHES = frozenset({"re.search", "re.match", "re.findall", "re.fullmatch", "regex.search"})
_REPLIES = frozenset(
    {"reply", "response", "completion", "generation", "llm_output", "model_output", "judgement", "judgment", "verdict"}
)


@dataclass(frozen=True, slots=True)
class ReplyDefault:
    name: str = "reply_default"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for found, default in _defaults(function):
                call = _search(found, function)
                if call is not None and len(call.args) > 1 and _is_reply(call.args[1], function, program):
                    yield self._finding(default, call, function)

    def _finding(self, default: ast.Constant, call: ast.Call, function: Function) -> Finding:
        return Finding(
            self.name, function.source.path, default.lineno, function.name, "Tell a reply without an answer from an answer",
            f"When nothing matches in line {call.lineno}, the result is `{ast.unparse(default)}`, as if the model had said so.",
            (), (Evidence(function.source.path, call.lineno, "looked for here"),), confidence="medium",
        )  # fmt: skip


def _defaults(function: Function) -> Iterator[tuple[str, ast.Constant]]:
    """Name of what a search gave, and what stands in its place when it gave nothing."""
    for node in function.own:
        match node:
            case ast.IfExp(test=ast.Name(id=name), orelse=ast.Constant() as default) if _is_answer(default):
                yield name, default
            case ast.If(
                test=ast.Name(id=name), body=[*_, ast.Return()], orelse=[ast.Return(value=ast.Constant() as default)]
            ):
                if _is_answer(default):
                    yield name, default
            case ast.If(test=ast.Name(id=name), body=[*_, ast.Return()], orelse=[]):
                after = _next(node, function)
                if isinstance(after, ast.Return) and isinstance(after.value, ast.Constant) and _is_answer(after.value):
                    yield name, after.value


def _next(node: ast.stmt, function: Function) -> ast.stmt | None:
    body = getattr(function.source.parents[node], "body", [])
    place = body.index(node) + 1 if node in body else len(body)
    return body[place] if place < len(body) else None


def _is_answer(default: ast.Constant) -> bool:
    """Numbers from 0 up, and labels; not None, an empty text, nor words that say that there is no answer."""
    value = default.value
    if isinstance(value, str):
        said = value.lower()
        return bool(said.strip()) and not any(mark in said for mark in _NO_ANSWER)
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _search(name: str, function: Function) -> ast.Call | None:
    values = [value for _, value in function.assignments(name)]
    if values and isinstance(values[-1], ast.Call) and function.source.full(values[-1].func) in _SEARCHES:
        return values[-1]
    return None


def _is_reply(node: ast.expr, function: Function, program: Program) -> bool:
    """By where it comes from, or by the name of a parameter."""
    if origin(node, function, program) is not None or handed_reply(node, function, program) is not None:
        return True
    root = node
    while isinstance(root, ast.Call | ast.Attribute):
        root = root.func if isinstance(root, ast.Call) else root.value
    return (
        isinstance(root, ast.Name)
        and root.id in function.parameters
        and bool(root.id in _REPLIES or set(words(root.id)) & {"reply", "completion"})
    )

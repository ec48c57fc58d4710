"""Text in lower case is compared with a literal that has capitals: it never matches.

Why it hurts: the branch is dead. A stop word, a label, an answer of the model or a kind of question is never recognised, and
everything takes the other way. Source: arXiv 2604.01007 (matching by case); seen in public fix histories.

    before                                        after
        if "Yes" in reply.lower():                    if 'yes' in reply.lower():

Silent: literals without letters that have a case, and comparisons whose two sides both keep their case.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function

_CASES = {"lower": str.lower, "casefold": str.casefold, "upper": str.upper}
_TESTS = frozenset({"startswith", "endswith", "find", "index", "count", "replace", "split"})
_KEEP_CASE = frozenset({"strip", "lstrip", "rstrip"})


@dataclass(frozen=True, slots=True)
class CaseNeverMatches:
    name: str = "case_never_matches"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for literal, case in _compared(function):
                right = _CASES[case](literal.value)  # type: ignore[arg-type]
                if right != literal.value:
                    yield Finding(
                        self.name, function.source.path, literal.lineno, function.name,
                        "Compare text with a literal of the same case",
                        f"`{ast.unparse(literal)[:60]}` is looked for in text that went through `{case}()`: it is never found.",
                        (function.replace(literal, repr(right)),), confidence="high",
                    )  # fmt: skip


def _compared(function: Function) -> Iterator[tuple[ast.Constant, str]]:
    for node in function.own:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = node.left, node.comparators[0]
            if isinstance(node.ops[0], ast.Eq | ast.NotEq):
                yield from _pair(left, right, function)
                yield from _pair(right, left, function)
            elif isinstance(node.ops[0], ast.In | ast.NotIn):
                yield from _pair(left, right, function)
                if (case := _case(left, function)) and isinstance(right, ast.Tuple | ast.List | ast.Set):
                    yield from ((one, case) for one in _alone(right.elts, case))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _TESTS
            and node.args
        ):
            yield from _pair(node.args[0], node.func.value, function)


def _alone(literals: list[ast.expr], case: str) -> Iterator[ast.Constant]:
    """Those whose right spelling is not there beside them: of the others nothing is lost."""
    texts = {one.value for one in literals if isinstance(one, ast.Constant)}
    for one in literals:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            right = _CASES[case](one.value)
            if right == one.value or right not in texts:
                yield one


def _pair(literal: ast.expr, text: ast.expr, function: Function) -> Iterator[tuple[ast.Constant, str]]:
    if isinstance(literal, ast.Constant) and _is_text(literal) and (case := _case(text, function)):
        yield literal, case


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _case(node: ast.expr, function: Function, depth: int = 3) -> str:
    """`lower` for `text.lower()`, and for a name that holds nothing else; empty for text of any case."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CASES and not node.args:
            return node.func.attr
        return _case(node.func.value, function, depth) if node.func.attr in _KEEP_CASE and not node.args else ""
    if isinstance(node, ast.Name) and depth and (value := _only_value(node, function)):
        return _case(value, function, depth - 1)
    return ""


def _only_value(name: ast.Name, function: Function) -> ast.expr | None:
    """What a name was set to once, above its use and on every way there; None when loops, `with` or `+=` bind it too."""
    values = function.assignments(name.id)
    stores = [
        n for n in function.own if isinstance(n, ast.Name) and n.id == name.id and not isinstance(n.ctx, ast.Load)
    ]
    if len(values) != 1 or len(stores) != 1:
        return None
    line, value = values[0]
    always = function.source.parents[function.source.statement(stores[0])] is function.node
    return value if line < name.lineno and (always or name.id not in function.parameters) else None

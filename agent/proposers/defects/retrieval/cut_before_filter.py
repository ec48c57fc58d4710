"""The best k are taken first, and filtered afterwards.

Why it hurts: what the filter drops is not replaced, so fewer than k come back, and none when the best k belong to somebody
else; recall falls with the share of what the filter keeps. Source: arXiv 2604.01007 (fewer than k results).

    before                                                      after
        hits = ranked[:k]                                           hits = ranked
        return [h for h in hits if h.user == user]                  return [h for h in hits if h.user == user][:k]

Silent: filters on the score itself, which keeps the order, on what is empty, on what was seen already, lists used before they
are filtered, and searches for more than are wanted. A search that takes k itself is only advised: its own filter is the way.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words

_LIMITS = frozenset(
    {"k", "top_k", "topk", "n_results", "num_results", "limit", "top_n", "max_results", "n_docs", "num_docs"}
)
_SEARCHES = frozenset(
    "similarity_search asimilarity_search similarity_search_with_score search query retrieve vector_search semantic_search".split()
)
_SCORES = frozenset(
    "score scores distance distances similarity sim threshold probability prob confidence relevance weight".split()
)


@dataclass(frozen=True, slots=True)
class CutBeforeFilter:
    name: str = "cut_before_filter"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for name, cut, limit in _cuts(function):
                kept = _filter(name, cut, function)
                if kept is not None:
                    yield self._finding(name, cut, limit, kept, function)

    def _finding(self, name: str, cut: ast.expr, limit: str, kept: ast.ListComp, function: Function) -> Finding:
        condition = ast.unparse(kept.generators[0].ifs[0])[:60]
        return Finding(
            self.name, function.source.path, cut.lineno, function.name, f"Filter {name} first, then take the best"[:72],
            f"`{name}` is cut to `{limit}` before `{condition}` is asked: what is dropped then is not replaced by the next best.",
            _edits(cut, limit, kept, function) if isinstance(cut, ast.Subscript) else (),
            (Evidence(function.source.path, kept.lineno, "filtered here"),),
        )  # fmt: skip


def _cuts(function: Function) -> Iterator[tuple[str, ast.expr, str]]:
    """`hits = ranked[:k]` and `hits = store.search(query, k=k)`: the name, where it is cut, and to how many."""
    for node in function.own:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name, value = node.targets[0].id, node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Subscript) and _limit(value) and isinstance(value.value, ast.Name | ast.Call):
            yield name, value, _limit(value)
        elif isinstance(value, ast.Call) and called_name(value) in _SEARCHES:
            for keyword in value.keywords:
                if keyword.arg in _LIMITS and ast.unparse(keyword.value).rpartition(".")[2] in _LIMITS:
                    yield name, value, ast.unparse(keyword.value)


def _limit(cut: ast.Subscript) -> str:
    """`k` of `ranked[:k]` when it reads like a number of results; empty for other slices."""
    if not isinstance(cut.slice, ast.Slice) or cut.slice.lower or cut.slice.step or cut.slice.upper is None:
        return ""
    text = ast.unparse(cut.slice.upper)
    return text if text.rpartition(".")[2] in _LIMITS else ""


def _filter(name: str, cut: ast.expr, function: Function) -> ast.ListComp | None:
    """The list that is made of `name` by a condition on what stands in each, if nothing else uses `name` before."""
    uses = [n for n in function.own if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    uses = sorted((n for n in uses if n.lineno > cut.lineno), key=lambda node: (node.lineno, node.col_offset))
    if not uses:
        return None
    above = function.source.parents[uses[0]]
    made = function.source.parents.get(above)
    if not isinstance(above, ast.comprehension) or above.iter is not uses[0] or not isinstance(made, ast.ListComp):
        return None
    same_block = (
        function.source.parents[function.source.statement(made)]
        is function.source.parents[function.source.statement(cut)]
    )
    plain = len(made.generators) == 1 and len(above.ifs) == 1 and _is_about_content(above.ifs[0], above.target)
    return made if same_block and plain and _is_last_use(name, uses, made, function) else None


def _is_last_use(name: str, uses: list[ast.Name], made: ast.ListComp, function: Function) -> bool:
    """Whether nothing reads the cut list afterwards: later uses are of a list that took over its name."""
    statement = function.source.statement(made)
    taken_over = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name
    return len(uses) == 1 or taken_over


def _is_about_content(condition: ast.expr, target: ast.expr) -> bool:
    """An equality or membership of a part of the item, such as `hit.user == user`; not of its score."""
    if not isinstance(condition, ast.Compare) or not isinstance(condition.ops[0], ast.Eq | ast.In):
        return False
    part = condition.left
    bound = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    if not isinstance(part, ast.Attribute | ast.Subscript | ast.Call) or not bound & {
        n.id for n in ast.walk(part) if isinstance(n, ast.Name)
    }:
        return False
    return not _SCORES & set(
        words(ast.unparse(condition).replace("'", "_").replace('"', "_").replace("[", "_").replace("]", "_"))
    )


def _edits(cut: ast.Subscript, limit: str, kept: ast.ListComp, function: Function) -> tuple[Edit, ...]:
    return (
        function.replace(kept, f"{function.source.segment(kept)}[:{limit}]"),
        function.replace(cut, function.source.segment(cut.value)),
    )

"""The worst are taken for the best: a similarity sorted upward, or a distance sorted downward.

Why it hurts: what is retrieved is what fits least, and everything behind it answers from that. It raises no error and looks like a
weak embedding. Source: seen in public fix histories; Shao et al., ICSE 2025.

    before                                                  after
        best = np.argsort(similarities)[:k]                     best = np.argsort(similarities)[::-1][:k]
        hits.sort(key=lambda h: h.distance, reverse=True)       hits.sort(key=lambda h: h.distance)
        return hits[:k]                                         return hits[:k]

Silent: negated values, lists that are turned round or cut from the end, and code that says it looks for the farthest, the hardest
or the worst.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, is_head, words

_NEAR = frozenset("similarity similarities sim sims cosine relevance bm25".split())
_FAR = frozenset("distance distances dist dists".split())
_MEANT = frozenset("far farthest furthest hard hardest worst least negative negatives dissimilar diverse diversity outlier "
                   "outliers anomaly prune evict lowest unlike mmr".split())  # fmt: skip


@dataclass(frozen=True, slots=True)
class RankingDirection:
    name: str = "ranking_direction"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not _MEANT & function.words:
                yield from self._argsorts(function)
                yield from self._sorts(function)

    def _argsorts(self, function: Function) -> Iterator[Finding]:
        for node in function.own:
            if not isinstance(node, ast.Subscript) or not is_head(node) or not isinstance(node.value, ast.Call):
                continue
            call = node.value
            if called_name(call) != "argsort" or call.keywords:
                continue
            ranked = call.args[0] if call.args else call.func.value if isinstance(call.func, ast.Attribute) else None
            if isinstance(ranked, ast.Name | ast.Attribute) and _says(ranked, _NEAR):
                text = function.source.segment(call)
                yield self._finding(
                    call, ast.unparse(ranked), "lowest", function, (function.replace(call, f"{text}[::-1]"),)
                )

    def _sorts(self, function: Function) -> Iterator[Finding]:
        for call in function.calls:
            key = keyword_of(call, "key")
            if (
                called_name(call) not in ("sort", "sorted")
                or not isinstance(key, ast.Lambda)
                or not _is_cut(call, function)
            ):
                continue
            reverse = keyword_of(call, "reverse")
            down = isinstance(reverse, ast.Constant) and reverse.value is True
            if reverse is not None and not isinstance(reverse, ast.Constant):
                continue
            if down and _says(key.body, _FAR):
                edits = (function.edit("remove_argument", argument="reverse=", within=ast.unparse(call.func)),)
                yield self._finding(
                    call, ast.unparse(key.body), "highest", function, edits if _is_alone(call, function) else ()
                )
            elif not down and _says(key.body, _NEAR):
                edits = (function.edit("set_keyword", call=ast.unparse(call), keyword="reverse", value="True"),)
                yield self._finding(call, ast.unparse(key.body), "lowest", function, edits)

    def _finding(self, node: ast.Call, what: str, end: str, function: Function, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            self.name, function.source.path, node.lineno, function.name, "Take the nearest, not the farthest",
            f"The first of this order are those with the {end} `{what[:60]}`, which fit the query least.", edits,
        )  # fmt: skip


def _says(node: ast.expr, kinds: frozenset[str]) -> bool:
    """Whether the last name or key of a plain expression says one of these words, and none that turns it round."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            said = set(words(name))
            return bool(said & kinds) and not said & (_MEANT | (_NEAR | _FAR) - kinds)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return bool(set(words(name)) & kinds)
    return False


def _is_cut(call: ast.Call, function: Function) -> bool:
    """Whether the first of the sorted list are taken: `sorted(...)[:k]`, or `[:k]` of its name further down."""
    above = function.source.parents[call]
    if isinstance(above, ast.Subscript):
        return is_head(above)
    statement = function.source.statement(call)
    if isinstance(call.func, ast.Attribute):
        name = ast.unparse(call.func.value)
    elif isinstance(statement, ast.Assign) and statement.value is call:
        name = ast.unparse(statement.targets[0])
    else:
        return False
    later = [
        n for n in function.own
        if isinstance(n, ast.Subscript) and n.lineno >= call.lineno and ast.unparse(n.value) == name and isinstance(n.slice, ast.Slice)
    ]  # fmt: skip
    turned = any(
        isinstance(n, ast.Call) and ast.unparse(n.func) in ("reversed", f"{name}.reverse") for n in function.own
    )
    return bool(later) and all(is_head(n) for n in later) and not turned


def _is_alone(call: ast.Call, function: Function) -> bool:
    """Whether the function has one such call: the edit names it by its callee."""
    return sum(ast.unparse(other.func) == ast.unparse(call.func) for other in function.calls) == 1

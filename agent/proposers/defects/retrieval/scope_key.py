"""A key is made of two ids with nothing between them, or an id goes into a filter between quotes as it is.

Why it hurts: user `1` in session `23` and user `12` in session `3` share the key `123`: one reads what the other stored. An id with a
quote in it ends the text it stands in, and the rest of it is read as a condition. Source: seen in public fix histories.

    before                                          after
        key = f"{user_id}{session_id}"                  key = f'{user_id}:{session_id}'

Silent: keys with anything between the parts, and parts of fixed length, such as digests. A filter is only advised: each store
has its own way to escape or to bind a value.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words

_IDS = frozenset(
    "id user tenant agent session run namespace scope org owner thread conversation project collection".split()
)
_KEYS = frozenset("key id scope namespace cache prefix".split())
_FIXED = frozenset("hash digest uuid hex sha md5 suffix prefix ext".split())
_FILTERS = frozenset({"filter", "expr", "where", "filters", "where_document", "filter_expr", "filter_str"})
_SAFE = frozenset("safe escaped quoted sanitized sanitised clean encoded".split())
_STORES = frozenset(
    "search query delete get_by_filter similarity_search similarity_search_with_score filter scroll".split()
)


@dataclass(frozen=True, slots=True)
class ScopeKey:
    name: str = "scope_key"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if (new := _joined(node)) and isinstance(node, ast.expr) and _is_key(node, function):
                    yield self._finding(
                        node, function, "Part the ids of the key",
                        f"Nothing parts the ids in `{ast.unparse(node)[:60]}`: other ids can give the same key.",
                        (function.replace(node, new),),
                    )  # fmt: skip
            for node in _filters(function):
                yield self._finding(
                    node, function, "Escape the value in the filter, or bind it",
                    f"`{ast.unparse(node)[:80]}` takes the value as it is: a quote in it ends the text, and what follows is read "
                    "as a condition.",
                    (),
                )  # fmt: skip

    def _finding(self, node: ast.expr, function: Function, title: str, why: str, edits: tuple[Edit, ...]) -> Finding:
        return Finding(self.name, function.source.path, node.lineno, function.name, title, why, edits)


def _joined(node: ast.AST) -> str:
    """`f"{a}:{b}"` for `f"{a}{b}"` of ids alone; empty for anything else."""
    if not isinstance(node, ast.JoinedStr) or not 2 <= len(node.values) <= 4:
        return ""
    values = [part.value for part in node.values if isinstance(part, ast.FormattedValue) and part.format_spec is None]
    if len(values) != len(node.values) or not all(_is_id(value) for value in values):
        return ""
    text = ":".join("{" + ast.unparse(value) + "}" for value in values)
    return "" if "'" in text or '"' in text else f"f'{text}'"


def _is_id(node: ast.expr) -> bool:
    if not isinstance(node, ast.Name | ast.Attribute):
        return False
    said = words(ast.unparse(node).rpartition(".")[2])
    return bool(said) and said[-1] in _IDS and not _FIXED & set(said)


def _is_key(node: ast.expr, function: Function) -> bool:
    """Whether the text is kept under a name that says key, is an index, or is hashed."""
    above = function.source.parents[node]
    if isinstance(above, ast.Subscript) and above.slice is node:
        return True
    if isinstance(above, ast.Attribute | ast.Call):
        text = ast.unparse(above)
        return "encode" in text or "md5" in text or "sha" in text
    if isinstance(above, ast.keyword):
        return bool(_KEYS & set(words(above.arg or "")))
    if isinstance(above, ast.Assign):
        return bool(_KEYS & set(words(ast.unparse(above.targets[0]))))
    return isinstance(above, ast.Return) and bool(_KEYS & function.words)


def _filters(function: Function) -> Iterator[ast.expr]:
    """Texts such as `f"user_id == '{user_id}'"` that are handed to a store as its filter."""
    for call in function.calls:
        if called_name(call) in _STORES:
            for keyword in call.keywords:
                node = keyword.value
                if isinstance(node, ast.Name):
                    node = function.last_value(node.id, call.lineno) or node
                if keyword.arg in _FILTERS and isinstance(node, ast.JoinedStr) and _is_quoted(node, function):
                    yield node


def _is_quoted(node: ast.JoinedStr, function: Function) -> bool:
    """Whether a name that nothing made safe stands between quotes."""
    parts = node.values
    for before, value, after in zip(parts, parts[1:], [*parts[2:], None], strict=False):
        left, right = (str(part.value) if isinstance(part, ast.Constant) else "" for part in (before, after))
        if not isinstance(value, ast.FormattedValue) or value.conversion != -1:
            continue
        if left.endswith(("'", '"')) and right.startswith(("'", '"')) and _is_plain(value.value, function):
            return True
    return False


def _is_plain(value: ast.expr, function: Function) -> bool:
    if not isinstance(value, ast.Name | ast.Attribute) or _SAFE & set(words(ast.unparse(value))):
        return False
    made = function.last_value(ast.unparse(value), value.lineno)
    return not isinstance(made, ast.Call)

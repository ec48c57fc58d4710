"""A cache whose key lacks an argument that the cached value depends on.

Why it hurts: the second call with another argument gets the first one's answer: embeddings of another model, features of
another split, prompts in another language, with no sign of it. Source: seen in public fix histories.

    before                                              after
    def embed(self, text, model):                       def embed(self, text, model):
        if text in self.cache:                              if (text, model) in self.cache:
            return self.cache[text]                             return self.cache[text, model]
        out = call(text, model)                             out = call(text, model)
        self.cache[text] = out                              self.cache[text, model] = out
        return out                                          return out

Not flagged: arguments that only say how (device, verbose, timeout, force), keys made by a function that is given
everything, and caches that are emptied when an argument changes.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program
from ..source import Definition, Function, words

HOW = frozenset(
    "self cls device verbose timeout force refresh reload logger log progress use cache cached retries client session "
    "workers num debug show download silent lock default func fn callback kwargs args overwrite update strict memo db "
    "factory create creator build loader".split()
)


@dataclass(frozen=True, slots=True)
class CacheKey:
    name: str = "cache_key"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not isinstance(function.node, Definition) or len(function.parameters) < 2:
                continue
            for cache, key, stored in _caches(function):
                missing = _missing(cache, key, stored, function)
                if missing:
                    yield self._finding(function, cache, key, stored, missing)

    def _finding(
        self, function: Function, cache: str, key: ast.expr, stored: ast.Assign, missing: list[str]
    ) -> Finding:
        names = ", ".join(missing)
        return Finding(
            self.name,
            function.source.path,
            stored.lineno,
            function.name,
            f"Put {names} into the key of {cache}"[:72],
            f"What `{cache}` keeps under `{ast.unparse(key)[:40]}` also depends on `{names}`: another value gets the old answer.",
            _edits(function, cache, key, missing),
            confidence="medium",
        )


def _caches(function: Function) -> list[tuple[str, ast.expr, ast.Assign]]:
    """`if k in cache: return cache[k]` with `cache[k] = v` below: the cache, the key, the statement that stores."""
    found: list[tuple[str, ast.expr, ast.Assign]] = []
    for node in function.own:
        match node:
            case ast.If(
                test=ast.Compare(left=key, ops=[ast.In()], comparators=[cache]), body=[*_, ast.Return(value=hit)]
            ):
                read = f"{ast.unparse(cache)}[{ast.unparse(key)}]"
            case _:
                continue
        if hit is None or ast.unparse(hit) != read or "cache" not in ast.unparse(cache).lower():
            continue
        for other in function.own:
            if isinstance(other, ast.Assign) and any(ast.unparse(target) == read for target in other.targets):
                found.append((ast.unparse(cache), key, other))
                break
    return found


def _missing(cache: str, key: ast.expr, stored: ast.Assign, function: Function) -> list[str]:
    """Parameters that the value depends on, and the key does not."""
    known = depends(key, function)
    if cache.split(".")[0] in function.parameters and not cache.startswith(("self.", "cls.")):
        return []  # the caller's own cache
    wanted = depends(stored.value, function)
    return [name for name in function.parameters if name in wanted and name not in known and not HOW & set(words(name))]


def depends(node: ast.expr, function: Function) -> set[str]:
    """Names that an expression is computed from, through the function's own assignments."""
    found: set[str] = set()
    pending = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [n.id for _, v in function.assignments(name) for n in ast.walk(v) if isinstance(n, ast.Name)]
    return found


def _edits(function: Function, cache: str, key: ast.expr, missing: list[str]) -> tuple[Edit, ...]:
    names = ", ".join(missing)
    if isinstance(key, ast.Name) and len(made := function.assignments(key.id)) == 1:
        statement = function.source.statement(made[0][1]) if made[0][1] in function.source.parents else None
        if not isinstance(statement, ast.Assign) or statement.value is not made[0][1]:
            return ()
        code = f"{key.id} = ({function.source.segment(statement.value)}, {names})"
        return (function.rewrite(statement, code),)
    text = ast.unparse(key)
    inner = text[1:-1] if isinstance(key, ast.Tuple) else text
    return (
        function.edit("replace_expression", old=f"{text} in {cache}", new=f"({inner}, {names}) in {cache}", nth="all"),
        function.edit("replace_expression", old=f"{cache}[{text}]", new=f"{cache}[{inner}, {names}]", nth="all"),
    )

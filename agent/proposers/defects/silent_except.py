"""A broad `except` that turns a failure of scoring, loading, parsing or a model's call into a harmless-looking value.

Why it hurts: a crash becomes a score of 0, an empty data set or an empty answer, and is averaged with the real ones;
nobody sees that anything failed.

Source: silent failures, Humbatova et al. 2020 (missing or wrong handling); Islam et al. 2020 on bugs hidden in the pipeline.

    try:                                   try:
        return f1_score(y, p)                  return f1_score(y, p)
    except Exception:              ->      except Exception:
        return 0.0                             raise

Handlers that name their error, log, count or use it, guards of optional imports, and clean-up code are silent.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...proposal import Edit
from .base import Finding
from .program import Program, called_name
from .source import Function, words

_BROAD = frozenset({"Exception", "BaseException", "builtins.Exception"})
_METRIC = frozenset(
    "accuracy metric metrics score scores f1 auc recall precision ndcg bleu rouge loss evaluate eval perplexity reward".split()
)
_DATA = frozenset(
    "load loads read parse parser json csv parquet dataset data decode tokenize rows row sample samples features label labels".split()
)
_MODEL = frozenset(
    "predict generate completion completions chat invoke forward fit embed embedding infer inference".split()
)
_MODELS = frozenset({"model", "net", "llm", "classifier"})
_TOLERANT = frozenset(
    "try safe maybe optional is has can check supports available close cleanup clean shutdown stop teardown exit del "
    "version git device cuda gpu terminal tty font plot port probe detect guess".split()
)
_CLEANUP = frozenset("close unlink remove rmtree kill terminate join cleanup shutdown flush disconnect".split())
_DOCUMENTED = re.compile(
    r"\b(none|empty|default|fall ?back|fail\w*|error|invalid|cannot|otherwise|unavailable)\b", re.I
)


@dataclass(frozen=True, slots=True)
class SilentExcept:
    name: str = "silent_except"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if _TOLERANT & function.words or _is_documented(function):
                continue
            for node in function.own:
                if isinstance(node, ast.Try) and (kind := _kind(node, function)):
                    for handler in node.handlers:
                        if (statement := _swallowed(handler)) is not None:
                            yield from self._finding(node, statement, kind, function, program)

    def _finding(
        self, node: ast.Try, statement: ast.Return | ast.Assign, kind: str, function: Function, program: Program
    ) -> Iterable[Finding]:
        default = ast.unparse(statement.value) if statement.value is not None else "None"
        looked_at = _callers_that_look(function, program) or _is_tested(statement, function)
        if default == "None" and (looked_at or (isinstance(statement, ast.Assign) and kind == "loading")):
            return  # None says that there is no value
        yield Finding(
            detector=self.name,
            file=function.source.path,
            line=statement.lineno,
            symbol=function.name,
            title=f"Let a failure of {kind} be seen",
            rationale=f"Any error in the lines from {node.body[0].lineno} on becomes `{default}` without a word: "
            "a failure then looks like a result.",
            edits=() if looked_at or function.source.loops(node) else _reraise(statement, function),
            effect="visibility",
        )


def _swallowed(handler: ast.ExceptHandler) -> ast.Return | ast.Assign | None:
    """The one statement of a broad handler that only puts a default in the place of the result."""
    if not _is_broad(handler.type):
        return None
    body = [s for s in handler.body if not isinstance(s, ast.Pass)]
    if len(body) != 1:
        return None
    match body[0]:
        case ast.Return(value=value) as statement if _is_default(value):
            return statement
        case ast.Assign(value=value) as statement if _is_default(value):
            return statement
    return None


def _is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(one) for one in kind.elts)
    return kind is None or ast.unparse(kind) in _BROAD


def _is_default(value: ast.expr | None) -> bool:
    match value:
        case None | ast.Constant(value=None | 0 | ""):
            return not (isinstance(value, ast.Constant) and value.value is False)
        case ast.List(elts=[]) | ast.Dict(keys=[]) | ast.Tuple(elts=[]):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set" | "str"), args=[], keywords=[]):
            return True
        case ast.Tuple(elts=elements):
            return all(_is_default(element) for element in elements)
    return False


def _kind(node: ast.Try, function: Function) -> str:
    """What fails there, in words; empty where a default may well be right."""
    inner = [n for statement in node.body for n in ast.walk(statement)]
    calls = [n for n in inner if isinstance(n, ast.Call)]
    if not calls or any(isinstance(n, ast.Import | ast.ImportFrom) for n in inner):
        return ""
    names = {word for call in calls for word in words(ast.unparse(call.func))[-3:]}
    if names & {"import", "version", "subprocess", "getattr", "isatty", "nvml"}:
        return ""
    if all(called_name(call) in _CLEANUP for call in calls):
        return ""
    if _METRIC & (function.words | names):
        return "scoring"
    if _MODEL & names or _MODELS & {called_name(call) for call in calls}:
        return "the model's call"
    return "loading" if _DATA & names or {"load", "read", "parse"} & function.words else ""


def _is_documented(function: Function) -> bool:
    """Whether the function says that it gives a default when something fails."""
    if isinstance(function.node, ast.Module):
        return False
    if function.name.rpartition(".")[2] in ("__del__", "__exit__", "__repr__", "__str__", "__aexit__"):
        return True
    returns = ast.unparse(function.node.returns) if function.node.returns is not None else ""
    if ("None" in returns.split("->")[-1] and returns != "None") or "Optional" in returns:
        return True
    return bool(_DOCUMENTED.search(ast.get_docstring(function.node) or ""))


def _callers_that_look(function: Function, program: Program) -> bool:
    """Whether a caller asks for the default: `if result is None`, `if not result`."""
    for caller, call in program.callers(function):
        statement = caller.source.statement(call)
        names = {ast.unparse(t) for t in statement.targets} if isinstance(statement, ast.Assign) else set()
        for test in (n.test for n in caller.own if isinstance(n, ast.If | ast.IfExp | ast.Assert | ast.While)):
            if call in ast.walk(test) or names & {ast.unparse(n) for n in ast.walk(test) if isinstance(n, ast.expr)}:
                return True
    return False


def _is_tested(statement: ast.stmt, function: Function) -> bool:
    """Whether the function itself asks for the default that a handler assigned."""
    names = {ast.unparse(target) for target in statement.targets} if isinstance(statement, ast.Assign) else set()
    tests = [
        n.test for n in function.own if isinstance(n, ast.If | ast.IfExp | ast.Assert) and n.lineno > statement.lineno
    ]
    return any(names & {ast.unparse(n) for n in ast.walk(test) if isinstance(n, ast.expr)} for test in tests)


def _reraise(statement: ast.stmt, function: Function) -> tuple[Edit, ...]:
    return (
        function.insert("raise", "before", statement),
        function.edit("delete_statement", **function.anchor(statement)),
    )

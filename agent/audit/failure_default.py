"""A failure that becomes a score: a metric that answers with a constant when it could not be computed.

    except ValueError:
        return 0.0                                  a crash is averaged with real scores
    metrics.get("accuracy", 0)                      a missing metric is a bad one
    if not predictions:
        return 1.0                                  no predictions are perfect ones
    except Exception:
        continue                                    examples that fail are left out of the mean

Silent: conventions of a metric on one example, such as an F1 of 0 without a common token; failures that end the program.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..metric_words import MAXIMIZE, MINIMIZE
from ..proposers.defects.program import called_name, keyword_of
from ..proposers.defects.source import Function, Loop, words
from .base import AuditFinding, Severity
from .scene import Scene

_METRIC = (MAXIMIZE | MINIMIZE) - {"f", "r", "map", "return", "returns", "em", "bits", "correct"} | {
    "f1",
    "r2",
    "metric",
}
_STRONG = _METRIC - {"score", "error", "err", "metric", "reward"}
"""Words that only a metric is called by: a `score` may be of a search hit, an `error` a message."""
_ALL_OF_THEM = frozenset(
    "predictions preds predicted results scores outputs responses records samples examples hits".split()
)
_BROAD = frozenset({"Exception", "BaseException"})
_MESSAGES = frozenset({"print", "warning", "warn", "error", "info", "debug", "exception", "exc"})


@dataclass(frozen=True, slots=True)
class FailureDefault:
    name: str = "failure_becomes_a_score"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        best = 1.0 if scene.target.metric.direction == "maximize" else 0.0
        for function in scene.evaluator:
            for node in function.own:
                if isinstance(node, ast.ExceptHandler):
                    yield from self._caught(node, function, best)
                elif isinstance(node, ast.Call):
                    yield from self._defaulted(node, function, scene.target.metric.name)
                elif isinstance(node, ast.If):
                    yield from self._empty(node, function, best)

    def _caught(self, node: ast.ExceptHandler, function: Function, best: float) -> Iterator[AuditFinding]:
        body = [s for s in node.body if not isinstance(s, ast.Pass) and not _is_a_message(s)]
        match body[:1]:
            case [ast.Return(value=value)] if _measures(function, node):
                what = "An error becomes the score"
            case [ast.Assign(targets=[target], value=value)] if (_METRIC - {"error", "err"}) & set(
                words(ast.unparse(target))
            ):
                what = f"An error sets `{ast.unparse(target)[:40]}` to"
            case [ast.Continue()] if _is_broad(node) and _leaves_out(function.source.loops(node)[:1]):
                yield self._finding(
                    "low", function, node, "Examples on which anything fails are left out",
                    "A model that fails on the hard examples is scored on the easy ones.",
                )  # fmt: skip
                return
            case _:
                return
        constant = _number(value)
        if constant is None or (_is_a_convention(node) and constant != best):
            return
        severity: Severity = "high" if _is_broad(node) or constant == best else "low"
        why = "What could not be scored gets a number, and is compared with real ones."
        yield self._finding(severity, function, node, f"{what} {constant:g}", why)

    def _defaulted(self, call: ast.Call, function: Function, metric: str) -> Iterator[AuditFinding]:
        match call:
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), default]) if (
                constant := _number(default)
            ) is not None and (key == metric or _STRONG & set(words(key))):
                yield self._finding(
                    "high", function, call, f"A missing `{key[:40]}` is read as {constant:g}",
                    "What was never measured gets a number, and is compared with real ones.",
                )  # fmt: skip
            case ast.Call() if called_name(call) == "nan_to_num" and call.args and _METRIC & _said(call.args[0]):
                yield self._finding(
                    "high", function, call, "A metric that is not a number becomes 0",
                    "A run that diverged gets a number; of a metric to minimise, the best there is.",
                )  # fmt: skip
            case ast.Call() if (given := keyword_of(call, "zero_division")) is not None and _number(given) == 1.0:
                yield self._finding(
                    "low", function, call, "A class that is never predicted counts as perfect (`zero_division=1`)",
                    "Leaving out the hard classes raises the score.",
                )  # fmt: skip

    def _empty(self, node: ast.If, function: Function, best: float) -> Iterator[AuditFinding]:
        match node.body:
            case [ast.Return(value=value)] if (
                (constant := _number(value)) is not None and _is_empty(node.test) and _measures(function, node)
            ):
                severity: Severity = "high" if constant == best else "low"
                yield self._finding(
                    severity, function, node, f"No predictions at all score {constant:g}",
                    "A run that predicted nothing gets a number" + (", and the best one." if severity == "high" else "."),
                )  # fmt: skip

    def _finding(self, severity: Severity, function: Function, node: ast.AST, title: str, why: str) -> AuditFinding:
        line = getattr(node, "lineno", 1)
        advice = "Let it fail: end with an error, or write no metric. No score is not a bad score."
        return AuditFinding(self.name, severity, function.source.path, line, title, why, advice)


def _measures(function: Function, node: ast.AST) -> bool:
    """Whether a function is called after a metric, or returns one from the `try` around a handler."""
    around = function.source.parents.get(node)
    called = (
        [called_name(n) for n in ast.walk(around) if isinstance(n, ast.Call)] if isinstance(around, ast.Try) else []
    )
    said = function.words | {word for name in called for word in words(name)}
    return bool(said & (_METRIC - {"error", "err"} | {"evaluate"})) and not said & {"load", "read", "parse", "open"}


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in _BROAD


def _is_a_convention(handler: ast.ExceptHandler) -> bool:
    """Nothing divided by nothing counts as 0 in many a metric."""
    return handler.type is not None and ast.unparse(handler.type) == "ZeroDivisionError"


def _leaves_out(loops: list[Loop]) -> bool:
    """Whether the loop collects scores or predictions."""
    inner = [n for loop in loops for n in ast.walk(loop)]
    names: list[ast.expr] = [n.target for n in inner if isinstance(n, ast.AugAssign)]
    calls = [n.func for n in inner if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    names += [func.value for func in calls if func.attr == "append"]
    return any(
        (_METRIC | {"correct", "total", "scores", "metrics", "predictions", "preds"}) & set(words(ast.unparse(name)))
        for name in names
    )


def _is_a_message(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return bool(_MESSAGES & set(words(called_name(call))))
    return False


def _number(node: ast.expr | None) -> float | None:
    match node:
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if isinstance(value, int | float):
            return -float(value)
    return None


def _said(node: ast.AST) -> set[str]:
    return set(words(ast.unparse(node))) if isinstance(node, ast.Name | ast.Attribute) else set()


def _is_empty(test: ast.expr) -> bool:
    """`not predictions`, `len(predictions) == 0`, `predictions is None`."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=name)):
            pass
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)]),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value=0)],
        ):
            pass
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            pass
        case _:
            return False
    return bool(_ALL_OF_THEM & set(words(name)))

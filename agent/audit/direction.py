"""A metric that is moved the wrong way: by target.toml, or by code that keeps the best of something.

    name = "perplexity", direction = "maximize"
    if val_acc < best_acc: best_acc = val_acc
    ModelCheckpoint(monitor="val_loss", mode="max")

Silent: names that say nothing about a direction, such as `score`, and comparisons that keep nothing.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..metric_words import Direction as Way
from ..metric_words import way_of
from ..proposers.defects.program import called_name, keyword_of
from ..proposers.defects.source import Function
from ..words import words
from .base import AuditFinding
from .scene import Scene

_MODES: dict[str, Way] = {"min": "minimize", "max": "maximize"}


@dataclass(frozen=True, slots=True)
class Direction:
    name: str = "direction"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        metric = scene.target.metric
        if (way := way_of(metric.name)) and way != metric.direction:
            yield AuditFinding(
                self.name, "high", "target.toml", scene.manifest_line("direction"),
                f"target.toml says to {metric.direction} `{metric.name[:60]}`, a name for what is to {way}",
                "Every arm is sent the wrong way: the winner is what does worst.",
                f'Set direction = "{way}", or give the metric a name that says what it is.',
            )  # fmt: skip
        named = dict.fromkeys((metric.name,), metric.direction)
        for function in dict.fromkeys((*scene.training, *scene.evaluator)):
            for node in function.own:
                if isinstance(node, ast.If):
                    yield from self._kept(node, function, named)
                elif isinstance(node, ast.Call):
                    yield from self._asked_for(node, function)

    def _kept(self, node: ast.If, function: Function, named: dict[str, Way]) -> Iterator[AuditFinding]:
        """`if new < best: best = new`."""
        match node.test:
            case ast.Compare(left=new, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() as op], comparators=[best]):
                pass
            case _:
                return
        smaller = isinstance(op, ast.Lt | ast.LtE)
        if "best" in _words(new):  # `if best > new`
            new, best, smaller = best, new, not smaller
        if "best" not in _words(best) or not _assigns(node.body, best, new):
            return
        way = named.get(ast.unparse(new)) or way_of(ast.unparse(best)) or way_of(ast.unparse(new))
        kept: Way = "minimize" if smaller else "maximize"
        if way and way != kept:
            yield self._finding(
                function, node, f"`{ast.unparse(best)[:40]}` keeps the {'lowest' if smaller else 'highest'} "
                f"`{ast.unparse(new)[:40]}`, which is to {way}",
            )  # fmt: skip

    def _asked_for(self, call: ast.Call, function: Function) -> Iterator[AuditFinding]:
        monitored, mode = keyword_of(call, "monitor"), keyword_of(call, "mode")
        match monitored, mode:
            case ast.Constant(value=str(what)), ast.Constant(value=("min" | "max") as asked):
                if (way := way_of(what)) and way != _MODES[asked]:
                    title = f"{called_name(call)} watches `{what[:40]}` with mode {asked!r}"
                    yield self._finding(function, call, title)
        best, greater = keyword_of(call, "metric_for_best_model"), keyword_of(call, "greater_is_better")
        match best, greater:
            case ast.Constant(value=str(what)), ast.Constant(value=bool(up)):
                if (way := way_of(what)) and up is not (way == "maximize"):
                    title = f"The best model is chosen by `{what[:40]}` with greater_is_better={up}"
                    yield self._finding(function, call, title)

    def _finding(self, function: Function, node: ast.AST, title: str) -> AuditFinding:
        return AuditFinding(
            self.name, "high", function.source.path, getattr(node, "lineno", 1), title,
            "The worst state of the model is kept as the best: the score is lower than the code can reach, and an edit that "
            "only turns the comparison around looks like a discovery.",
            "Turn the comparison around, or rename what is compared.",
        )  # fmt: skip


def _words(node: ast.expr) -> set[str]:
    return set(words(ast.unparse(node))) if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else set()


def _assigns(body: list[ast.stmt], best: ast.expr, new: ast.expr) -> bool:
    """Whether a block sets the best to the new value."""
    return any(
        isinstance(s, ast.Assign)
        and ast.unparse(s.value) == ast.unparse(new)
        and any(ast.unparse(t) == ast.unparse(best) for t in s.targets)
        for s in body
    )

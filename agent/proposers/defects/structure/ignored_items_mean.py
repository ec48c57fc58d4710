"""The mean over items of which some are ignored, divided by the number of all.

Why it hurts: `cross_entropy` with `ignore_index` gives zero for ignored items. Its own mean leaves them out; the mean of
`reduction="none"`, or a sum divided by `numel()`, counts them: the loss and the steps shrink with the share of padding,
and a comparison between batches or data sets is one of their padding. Source: seen in public fix histories (wrong
normaliser).

    before                                          after
    l = F.cross_entropy(x, y, ignore_index=-1,      l = F.cross_entropy(x, y, ignore_index=-1,
                        reduction="none")                               reduction="none")
    loss = l.mean()                                 loss = (l.sum() / (y != -1).sum().clamp(min=1))

Silent: losses that are weighted or masked before the mean, and means over one axis.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..losses import Loss, losses
from ..program import Program, called_name, keyword_of
from ..source import Function
from .found import also, at
from .signs import number

_SHAPES = frozenset("view reshape flatten float squeeze".split())


@dataclass(frozen=True, slots=True)
class IgnoredItemsMean:
    name: str = "ignored_items_mean"

    def detect(self, program: Program) -> Iterable[Finding]:
        for loss in losses(program):
            chosen = loss.made if loss.made is not None else loss.call
            ignored = keyword_of(chosen, "ignore_index")
            if loss.kind not in ("cross_entropy", "nll") or ignored is None or _reduction(chosen) != "none":
                continue
            for mean in _means(loss, loss.function):
                yield self._finding(mean, loss, ignored)

    def _finding(self, mean: ast.Call, loss: Loss, ignored: ast.expr) -> Finding:
        function, source = loss.function, loss.function.source
        value = mean.func.value  # type: ignore[attr-defined]
        target = source.segment(loss.target)
        target = (
            target if isinstance(loss.target, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({target})"
        )
        count = f"({target} != {source.segment(ignored) if loss.made is None else ast.unparse(ignored)})"
        new = f"({source.segment(value)}.sum() / {count}.sum().clamp(min=1))"
        why = (
            f"Items equal to {ast.unparse(ignored)} give zero, and this mean counts them: it shrinks with their share."
        )
        found = at(
            self.name, function, mean, "Divide by the number of items not ignored", why, (function.replace(mean, new),)
        )
        sure = number(ignored) is not None or loss.made is None
        return replace(
            found, confidence="high" if sure else "medium", evidence=(also(function, loss.call, "the loss"),)
        )


def _reduction(chosen: ast.Call) -> object:
    given = keyword_of(chosen, "reduction")
    return given.value if isinstance(given, ast.Constant) else None


def _means(loss: Loss, function: Function) -> Iterable[ast.Call]:
    """`mean()` of the loss as it is, reshaped or not, whose name is used for nothing else."""
    source = function.source
    statement = source.statement(loss.call)
    names: list[ast.expr] = [loss.call]
    if (
        isinstance(statement, ast.Assign)
        and _inside(statement.value) is loss.call
        and isinstance(statement.targets[0], ast.Name)
    ):
        name = statement.targets[0].id
        if len(function.assignments(name)) > 1:
            return
        names = [n for n in function.own if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
        if len(names) > 1:
            return  # weighted, masked or counted somewhere
    for node in names:
        above: ast.AST = node
        while isinstance(source.parents[above], ast.Attribute) and isinstance(
            source.parents[source.parents[above]], ast.Call
        ):
            call = source.parents[source.parents[above]]
            if isinstance(call, ast.Call) and called_name(call) == "mean" and not call.args and not call.keywords:
                yield call
                return
            if not isinstance(call, ast.Call) or called_name(call) not in _SHAPES:
                return
            above = call


def _inside(node: ast.expr) -> ast.expr:
    """A call under reshaping."""
    while isinstance(node, ast.Call) and called_name(node) in _SHAPES and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return node

"""A metric that goes on counting from one epoch into the next.

Why it hurts: it is made once, updated every batch and read every epoch, and never reset: the value of epoch ten is the
average over ten epochs. Improvement shows late, overfitting not at all, and the best epoch is the wrong one. Source: seen
in public fix histories; documentation of torchmetrics.

    before                                          after
    for epoch in range(epochs):                     for epoch in range(epochs):
        for x, y in loader:                             for x, y in loader:
            metric.update(net(x), y)                        metric.update(net(x), y)
        print(metric.compute())                         print(metric.compute())
                                                        metric.reset()

Silent: metrics made inside the loop, reset under any name, logged as objects to a framework that resets them, or made
to average over time.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function, Loop, words
from .found import at


@dataclass(frozen=True, slots=True)
class MetricNotReset:
    name: str = "metric_not_reset"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                read = _read(node)
                if read is None:
                    continue
                metric, loops = ast.unparse(read), function.source.loops(node)
                if not loops or not _is_updated_within(metric, loops[0], function):
                    continue
                if not _is_metric(node, read, function, program) or _is_reset(metric, function, program):
                    continue
                yield self._finding(node, metric, function)

    def _finding(self, node: ast.AST, metric: str, function: Function) -> Finding:
        statement = function.source.statement(node)
        edits = (function.insert(f"{metric}.reset()", "after", statement),) if not _is_compound(statement) else ()
        why = f"`{metric}` is made outside this loop and never reset: what is read here covers all epochs so far."
        return replace(at(self.name, function, node, f"Reset {metric} after it is read", why, edits), confidence="high")


def _read(node: ast.AST) -> ast.expr | None:
    """The metric in `metric.compute()` or `meter.avg`."""
    if isinstance(node, ast.Call) and called_name(node) == "compute" and not node.args:
        return receiver(node)
    if isinstance(node, ast.Attribute) and node.attr == "avg" and isinstance(node.ctx, ast.Load):
        return node.value
    return None


def _is_updated_within(metric: str, loop: Loop, function: Function) -> bool:
    """Whether an inner loop updates it, and the outer one does not make it."""
    inner = [n for n in ast.walk(loop) if isinstance(n, Loop) and n is not loop]
    updates = (f"{metric}.update", metric)
    if not any(isinstance(n, ast.Call) and ast.unparse(n.func) in updates for one in inner for n in ast.walk(one)):
        return False
    made = [line for line, _ in function.assignments(metric)]
    return not any(loop.lineno <= line <= (loop.end_lineno or line) for line in made)


def _is_metric(node: ast.AST, metric: ast.expr, function: Function, program: Program) -> bool:
    if {"time", "data", "batch", "speed", "timer", "ema", "smooth", "running"} & set(words(ast.unparse(metric))):
        return False
    values = [(v, f) for v, f in program.values(metric, function) if isinstance(v, ast.Call)]
    if not values:
        return False
    for value, home in values:
        if home.source.full(value.func).startswith("torchmetrics."):
            continue
        found = program.find_class(called_name(value), home.source)
        if found is None or any(program.method(*found, name) is None for name in ("update", "reset")):
            return False
        if not isinstance(node, ast.Attribute) and program.method(*found, "compute") is None:
            return False
        own = program.method(*found, "compute")
        if own is not None and any(called_name(c) == "reset" for c in own.calls):
            return False
    return True


def _is_reset(metric: str, function: Function, program: Program) -> bool:
    """Whether `reset` is called on it anywhere in reach, or on everything of its kind."""
    nodes = [*function.calls]
    for call in function.calls:
        for inner in program.reach(call, function, 1):
            nodes += inner.calls
    last = metric.rpartition(".")[2]
    for call in nodes:
        if "reset" in called_name(call):
            target = receiver(call)
            if target is None or last in ast.unparse(target) or isinstance(target, ast.Name):
                return True
    return False


def _is_compound(statement: ast.stmt) -> bool:
    return hasattr(statement, "body") or isinstance(statement, ast.Return)

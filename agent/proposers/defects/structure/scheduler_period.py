"""A schedule counted in batches and stepped once an epoch, or counted in epochs and stepped every batch.

Why it hurts: stepped once an epoch, a schedule over all batches never leaves its warm-up: the learning rate stays near
its start. Stepped every batch, one over epochs is through in the first minutes and, if it is a cosine, comes back up
again and again. Both look like a badly chosen learning rate. Source: Humbatova et al. 2020 (training process).

    before                                          after
    s = OneCycleLR(o, 0.1, epochs=n,                s = OneCycleLR(o, 0.1, epochs=n,
                   steps_per_epoch=len(loader))                    steps_per_epoch=len(loader))
    for epoch in range(n):                          for epoch in range(n):
        for x, y in loader:                             for x, y in loader:
            ...                                             ...
            o.step()                                        o.step()
        s.step()                                            s.step()

Silent: periods whose unit the names do not tell.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, Loop, words
from ..training import is_mini_batch_loop, stepped_optimizer
from .found import also, at
from .scheduler_before_optimizer import scheduler

_PERIODS = {"CosineAnnealingLR": ("T_max", 1), "OneCycleLR": ("total_steps", 2), "LinearLR": ("total_iters", 3),
            "PolynomialLR": ("total_iters", 1)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SchedulerPeriod:
    name: str = "scheduler_period"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) != "step" or (made := scheduler(call, function, program)) is None:
                    continue
                unit, place = _unit(*made), _place(call, function, program)
                if unit and place is not None and unit != place[0]:
                    yield self._finding(call, made, unit, place[1], function)

    def _finding(
        self, call: ast.Call, made: tuple[ast.Call, Function], unit: str, beside: ast.stmt, function: Function
    ) -> Finding:
        statement = function.source.statement(call)
        edits: tuple[Edit, ...] = ()
        if isinstance(statement, ast.Expr):
            edits = (
                function.edit("delete_statement", **function.anchor(statement)),
                function.insert(ast.unparse(statement), "after", beside),
            )
        other = {"batch": "epoch", "epoch": "batch"}[unit]
        why = f"{called_name(made[0])} on line {made[0].lineno} counts in {unit}es and is stepped every {other}."
        why = why.replace("epoches", "epochs")
        found = at(self.name, function, call, f"Step the scheduler every {unit}, as it counts", why, edits)
        return replace(
            found, evidence=(also(made[1], made[0], "the schedule"),), confidence="high" if edits else "medium"
        )


def _unit(made: ast.Call, home: Function) -> str:
    """What a schedule counts, told by the names in its period: `batch`, `epoch`, or nothing."""
    name = called_name(made)
    if name not in _PERIODS:
        return ""
    if name == "OneCycleLR" and keyword_of(made, "steps_per_epoch") is not None:
        return "batch" if _unit_of(keyword_of(made, "steps_per_epoch"), home) == "batch" else ""
    keyword, place = _PERIODS[name]
    return _unit_of(keyword_of(made, keyword) or (made.args[place] if len(made.args) > place else None), home)


def _unit_of(node: ast.expr | None, home: Function, depth: int = 3) -> str:
    if node is None or depth == 0:
        return ""
    value = home.last_value(node.id, node.lineno) if isinstance(node, ast.Name) else None
    if value is not None and not isinstance(value, ast.Constant):
        return _unit_of(value, home, depth - 1)
    said = {w for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute) for w in words(ast.unparse(n))}
    if {"steps", "step", "iters", "iter", "iterations", "batches"} & said or "len(" in ast.unparse(node):
        return "batch"
    return "epoch" if {"epochs", "epoch"} & said else ""


def _place(call: ast.Call, function: Function, program: Program) -> tuple[str, ast.stmt] | None:
    """Where the scheduler steps, `batch` or `epoch`, and the statement it should stand after if it were the other."""
    source = function.source
    loops = source.loops(call)
    if not loops:
        return None
    inner = [n for n in ast.walk(loops[0]) if isinstance(n, Loop) and n is not loops[0]]
    stepping = [
        n for n in ast.walk(loops[0]) if isinstance(n, ast.Call) and stepped_optimizer(n, function, program) is not None
    ]
    if len(stepping) != 1:
        return None
    step = stepping[0]
    holder = source.loops(step)[0]
    if holder is loops[0]:  # in the loop that steps the optimizer
        if (
            len(loops) < 2
            or not is_mini_batch_loop(holder)
            or any(isinstance(a, ast.If) for a in _between(call, holder, function))
        ):
            return None
        return "batch", holder
    if holder in inner and is_mini_batch_loop(holder) and source.statement(step) in holder.body:
        return "epoch", source.statement(step)
    return None


def _between(call: ast.Call, loop: Loop, function: Function) -> Iterable[ast.AST]:
    for above in function.source.ancestors(call):
        if above is loop:
            return
        yield above

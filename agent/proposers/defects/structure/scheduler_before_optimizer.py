"""The scheduler steps before the optimizer.

Why it hurts: since PyTorch 1.1 the scheduler's first step already moves on, so the first learning rate of the schedule is
never used; with a warm-up or a decay that counts epochs, everything happens one step early. PyTorch warns once, among
other warnings. Source: Humbatova et al. 2020 (training process); PyTorch release notes 1.1.

    before                                          after
    for epoch in range(epochs):                     for epoch in range(epochs):
        scheduler.step()                                train(model, optimizer)
        train(model, optimizer)                         scheduler.step()

Silent: schedulers that are told the epoch or a metric, schedulers of other libraries, and loops in which the optimizer
steps first.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function
from ..training import stepped_optimizer
from .found import also, at


@dataclass(frozen=True, slots=True)
class SchedulerBeforeOptimizer:
    name: str = "scheduler_before_optimizer"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if (
                    called_name(call) != "step"
                    or call.args
                    or call.keywords
                    or scheduler(call, function, program) is None
                ):
                    continue
                loops = function.source.loops(call)
                statement = function.source.statement(call)
                if loops and statement in loops[0].body and isinstance(statement, ast.Expr):
                    later = _first_step(loops[0].body, statement, function, program)
                    if later is not None:
                        yield self._finding(statement, later, function)

    def _finding(self, statement: ast.stmt, later: ast.stmt, function: Function) -> Finding:
        text = ast.unparse(statement)
        edits = (
            function.edit("delete_statement", **function.anchor(statement)),
            function.insert(text, "after", later),
        )
        why = f"`{text}` moves the schedule on before the first step with its first learning rate is taken."
        found = at(self.name, function, statement, "Step the scheduler after the optimizer", why, edits)
        return replace(found, confidence="high", evidence=(also(function, later, "the optimizer steps here"),))


def scheduler(call: ast.Call, function: Function, program: Program) -> tuple[ast.Call, Function] | None:
    """The one call that makes the `torch.optim.lr_scheduler` whose `step` this is, and where it stands."""
    target = receiver(call)
    if target is None:
        return None
    values = [(v, f) for v, f in program.values(target, function) if isinstance(v, ast.Call)]
    made = [(v, f) for v, f in values if ".lr_scheduler." in f.source.full(v.func)]
    return made[0] if len(made) == 1 == len(values) else None


def _first_step(
    block: list[ast.stmt], statement: ast.stmt, function: Function, program: Program
) -> ast.stmt | None:  # fmt: skip
    """The first statement of the loop that steps an optimizer, if it stands below the scheduler's."""
    for one in block:
        if one is statement:
            continue
        if any(_steps(node, function, program) for node in ast.walk(one)):
            return one if one.lineno > statement.lineno else None
    return None


def _steps(node: ast.AST, function: Function, program: Program) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if stepped_optimizer(node, function, program) is not None:
        return True
    return any(stepped_optimizer(c, f, program) is not None for f in program.reach(node, function) for c in f.calls)

"""An optimizer that steps before the gradients it should use are there.

Why it hurts: after `zero_grad` the step moves nothing, and without it the step follows the batch before; training runs
to the end and looks like a model that cannot learn.

Source: wrong order of training calls, Humbatova et al. 2020 (training process) and Islam et al. 2019 (API order).

    optimizer.step()                loss.backward()
    loss.backward()         ->      optimizer.step()

A loop that is only written from another point on (step, zero_grad, forward, backward) is the same loop and is silent.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...proposal import Edit
from .base import Finding
from .program import Program, called_name, receiver
from .source import Function, words
from .training import has_call, is_backward, is_zero_grad, stepped_optimizer

_PLAIN = frozenset("optimizer optim opt optimiser loss err error self scaler scale backward step cost".split())
_SHORT = {"g": "gen", "d": "disc", "generator": "gen", "discriminator": "disc", "c": "critic", "a": "actor"}


@dataclass(frozen=True, slots=True)
class StepBeforeBackward:
    name: str = "step_before_backward"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if any(is_backward(call) for call in function.calls):
                for block in _blocks(function):
                    yield from self._in_block(block, function, program)

    def _in_block(self, block: list[ast.stmt], function: Function, program: Program) -> Iterator[Finding]:
        steps = [(i, opt) for i, s in enumerate(block) if (opt := _step(s, function, program)) is not None]
        backwards = [i for i, s in enumerate(block) if isinstance(s, ast.Expr) and is_backward(s.value)]
        for step, optimizer in steps:
            late = [i for i in backwards if i > step and _belongs(block[i], optimizer, len(backwards))]
            if not late or any(_may_compute_gradients(s, optimizer, function, program, len(backwards))
                               for s in block[:step]):  # fmt: skip
                continue
            if any(i > late[-1] and ast.unparse(other) == ast.unparse(optimizer) for i, other in steps):
                continue
            if _stale(block, step, late[-1]):
                yield self._finding(block, step, late, function)
                return

    def _finding(self, block: list[ast.stmt], step: int, late: list[int], function: Function) -> Finding:
        moved, target = block[step], block[late[-1]]
        first = _start_of_update(block, step)
        edits: tuple[Edit, ...]
        if len(late) == 1 and not _assigned(block[first : late[0]]) & _names(target):
            edits = (function.edit("move_statement", **function.anchor(target), where="before", to=_to(block[first])),)
        else:
            edits = (function.edit("move_statement", **function.anchor(moved), where="after", to=_to(target)),)
        if "nth" in function.anchor(block[first]) or "nth" in function.anchor(target):
            edits = ()
        return Finding(
            detector=self.name,
            file=function.source.path,
            line=moved.lineno,
            symbol=function.name,
            title="Take the optimizer's step after the backward pass",
            rationale=f"`{ast.unparse(moved)}` runs before `{ast.unparse(target)}` (line {target.lineno}) of the same "
            "pass, so it never sees the gradients of its own batch.",
            edits=edits,
        )


def _blocks(function: Function) -> Iterator[list[ast.stmt]]:
    """Statement lists that run again and again: bodies of loops, blocks inside them, the body of a function."""
    for node in (function.node, *function.own):
        repeats = isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.FunctionDef | ast.AsyncFunctionDef)
        inside = isinstance(node, ast.With | ast.If | ast.Try) and bool(function.source.loops(node))
        if (repeats or inside) and (node is function.node or not isinstance(node, ast.FunctionDef)):
            yield node.body  # type: ignore[attr-defined]


def _step(statement: ast.stmt, function: Function, program: Program) -> ast.expr | None:
    """The optimizer a statement steps; a step with a closure computes its own gradients."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    optimizer = stepped_optimizer(statement.value, function, program)
    target = receiver(statement.value)
    own = optimizer is not None and target is not None and ast.unparse(target) == ast.unparse(optimizer)
    return None if own and (statement.value.args or statement.value.keywords) else optimizer


def _may_compute_gradients(
    statement: ast.stmt, optimizer: ast.expr, function: Function, program: Program, backwards: int
) -> bool:
    """Whether a statement above the step runs a backward pass that the step may be meant for."""
    for node in ast.walk(statement):
        if is_backward(node) and _belongs(node, optimizer, backwards):
            return True
        if isinstance(node, ast.Call):
            if called_name(node) in ("grad", "autograd", "value_and_grad"):
                return True
            if any(has_call(f.everything, "backward") for f in program.reach(node, function)):
                return True
    return False


def _belongs(backward: ast.AST, optimizer: ast.expr, backwards: int) -> bool:
    """Whether the pass is the optimizer's: the only one, or the one whose loss is called like it (`errD`, `optD`)."""
    return backwards == 1 or bool(_role(backward) & _role(optimizer)) or not _role(optimizer)


def _role(node: ast.AST) -> set[str]:
    names = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    ]
    found = {word for name in names for word in words(name)} - _PLAIN
    return {_SHORT.get(word, word) for word in found}


def _stale(block: Sequence[ast.stmt], step: int, backward: int) -> bool:
    """Whether the step uses cleared gradients, or those of the batch before with this batch's loss already at hand."""
    around = [*block[backward + 1 :], *block[:step]]
    if any(is_zero_grad(node) for statement in around for node in ast.walk(statement)):
        return True
    loss = _names(block[backward])
    return any(
        isinstance(statement, ast.Assign)
        and _assigned([statement]) & loss
        and has_call(ast.walk(statement), called_name(c))
        for statement in block[:step]
        for c in ast.walk(statement)
        if isinstance(c, ast.Call)
    )


def _start_of_update(block: Sequence[ast.stmt], step: int) -> int:
    """Clipping and unscaling that stand right above the step need the gradients too."""
    while step and any(
        isinstance(node, ast.Call)
        and (called_name(node).startswith(("clip_grad", "unscale")) or called_name(node) == "step")
        for node in ast.walk(block[step - 1])
    ):
        step -= 1
    return step


def _assigned(statements: Iterable[ast.stmt]) -> set[str]:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _to(statement: ast.stmt) -> str:
    return ast.unparse(statement).split("\n")[0]

"""Gradients of several batches added up and never divided by their number.

Why it hurts: a step every four batches follows the sum of four gradients, four times as long as that of one large batch:
the learning rate is not the one that was chosen, clipping always binds, and a run with another number of batches is
another experiment. Source: seen in public fix histories.

    before                                          after
    loss.backward()                                 (loss / accumulate).backward()
    if (i + 1) % accumulate == 0:                   if (i + 1) % accumulate == 0:
        optimizer.step()                                optimizer.step()

Silent: losses, gradients or learning rates divided anywhere, sums over items that are normalised later, engines that
divide by themselves, and networks that take turns, as in adversarial training.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function, words
from ..training import backwards, is_backward, stepped_optimizer
from .found import also, at
from .signs import number

_ENGINES = frozenset("accelerator engine fabric strategy deepspeed self ctx manual".split())


@dataclass(frozen=True, slots=True)
class AccumulationNotDivided:
    name: str = "accumulation_not_divided"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            made = backwards(function)
            if len(made) != 1 or program.is_framework(function):
                continue
            found = _accumulates(made[0], function, program)
            if found is None:
                continue
            condition, every = found
            loss = _loss(made[0])
            if loss is None or _is_divided(every, function, program):
                continue
            yield self._finding(made[0], loss, every, condition, function)

    def _finding(
        self, call: ast.Call, loss: ast.expr, every: ast.expr, condition: ast.If, function: Function
    ) -> Finding:
        source = function.source
        count, old = source.segment(every), source.segment(loss)
        shared = old if isinstance(loss, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({old})"
        if loss is receiver(call):
            new = f"({shared} / {count})" + source.segment(call)[len(old) :]
        else:
            new = source.segment(call).replace(f"({old})", f"({shared} / {count})", 1)
        why = f"The step follows the sum of the gradients of `{count}` batches: it is that many times as long."
        found = at(self.name, function, call, f"Divide the loss by {count}", why, (function.replace(call, new),))
        return replace(found, evidence=(also(function, condition, "the step is taken here"),))


def _accumulates(call: ast.Call, function: Function, program: Program) -> tuple[ast.If, ast.expr] | None:
    """The condition under which the optimizer steps, and every how many batches it holds."""
    loops = function.source.loops(call)
    if not loops:
        return None
    inside = [n for n in ast.walk(loops[0]) if isinstance(n, ast.Call)]
    stepping = [c for c in inside if stepped_optimizer(c, function, program) is not None]
    around = {a for a in function.source.ancestors(call) if isinstance(a, ast.If)}
    conditions: list[tuple[ast.If, ast.expr]] = []
    for step in stepping:
        above = [a for a in function.source.ancestors(step) if isinstance(a, ast.If) and a not in around]
        counted = [
            (a, every)
            for a in above
            if (every := _every(a.test)) is not None and loops[0] in function.source.ancestors(a)
        ]
        if not counted or any(is_backward(n) for a, _ in counted for n in ast.walk(a)):
            return None
        conditions.append(counted[0])
    return conditions[0] if conditions else None


def _every(test: ast.expr) -> ast.expr | None:
    """`N` of a test that compares `i % N` with a number."""
    for node in ast.walk(test):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            value = number(node.right)
            named = isinstance(node.right, ast.Name | ast.Attribute)
            return node.right if named or (value is not None and value > 1) else None
    return None


def _loss(call: ast.Call) -> ast.expr | None:
    """What `backward` is called on; in mixed precision what is scaled. None for an engine's own backward."""
    target = receiver(call)
    if isinstance(target, ast.Call) and called_name(target) == "scale" and len(target.args) == 1:
        return target.args[0]
    if target is None or isinstance(target, ast.Call) or _ENGINES & set(words(ast.unparse(target))):
        return None
    return target if called_name(call) == "backward" else None


def _is_divided(every: ast.expr, function: Function, program: Program) -> bool:
    """Whether anything in reach divides: by the count, by a count of items, or the gradients themselves."""
    text = ast.unparse(every)
    nodes = list(function.everything)
    for call in function.calls:
        for inner in program.reach(call, function, 1):
            nodes += inner.everything
            if any(text in ast.unparse(argument) for argument in call.args) and any(
                _divides(n) for n in inner.everything
            ):
                return True
    return any(_divides_by(node, text) for node in nodes)


def _divides(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)


def _divides_by(node: ast.AST, text: str) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _mentions(node.right, text)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div | ast.Mult):
        target = ast.unparse(node.target)
        return _mentions(node.value, text) or "loss" in target or "grad" in target
    if isinstance(node, ast.Call) and called_name(node) in ("div_", "mul_", "div", "multiply_grads"):
        return True
    return isinstance(node, ast.Constant) and node.value == "sum"


def _mentions(node: ast.expr, text: str) -> bool:
    inner = ast.unparse(node)
    return text in inner or ("accum" in inner and "accum" in text)

"""The loss is cut off from the model: it is made anew as a number, or of predictions that carry no gradient.

Why it hurts: `torch.tensor(x)`, `.item()`, `.detach()`, `.data`, `.numpy()` and `argmax` give values without a history.
With `requires_grad=True` put on top, `backward()` runs without an error and reaches no weight: the loss stays where it
was, and every learning rate does the same. Source: Humbatova et al. 2020.

    before                                          after
    loss = torch.tensor(criterion(out, y),          loss = criterion(out, y)
                        requires_grad=True)
    loss.backward()                                 loss.backward()

    loss = criterion(out.detach(), y)               loss = criterion(out, y)

Silent: targets, values that only steer, and terms added beside one that carries a gradient, unless they are `.item()`.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..losses import Loss, losses
from ..program import Program, called_name, receiver
from ..source import Function
from ..training import backwards
from .found import also, at
from .signs import terms

_MAKERS = frozenset("tensor as_tensor FloatTensor Variable Tensor Parameter".split())
_CUTS = frozenset("item detach numpy tolist".split())


@dataclass(frozen=True, slots=True)
class GraphCut:
    name: str = "graph_cut"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in backwards(function):
                name = _loss_name(call)
                value = function.last_value(name, call.lineno) if name else None
                if value is not None:
                    yield from self._made_anew(value, call, function)
        for loss in losses(program):
            if (cut := _cut_output(loss)) is not None:
                yield self._of_output(loss, cut)

    def _made_anew(self, value: ast.expr, call: ast.Call, function: Function) -> Iterable[Finding]:
        parts = [part for _, part in terms(value)]
        cut = [part for part in parts if _inner(part, function) is not None]
        numbers = [part for part in cut if called_name(part) == "item"] if len(cut) < len(parts) else cut  # type: ignore[arg-type]
        if not numbers:
            return
        part = numbers[0]
        inner = _inner(part, function)
        edits: tuple[Edit, ...] = ()
        if inner is not None and not isinstance(inner, ast.Constant) and isinstance(part, ast.Call):
            edits = (function.replace(part, function.source.segment(inner)),)
        why = f"`{ast.unparse(part)[:80]}` is a value without a history: `backward()` on line {call.lineno} reaches no weight."
        found = at(self.name, function, part, "Keep the loss connected to the model", why, edits)
        yield replace(found, confidence="high", evidence=(also(function, call, "the gradients are asked for here"),))

    def _of_output(self, loss: Loss, cut: ast.expr) -> Finding:
        function = loss.function
        inner = _inner(cut, function)
        edits: tuple[Edit, ...] = ()
        if inner is not None and isinstance(cut, ast.Call):
            edits = (function.replace(cut, function.source.segment(inner)),)
        why = f"The loss is taken of `{ast.unparse(cut)[:80]}`, which carries no gradient: the model is never changed."
        found = at(self.name, function, cut, "Take the loss of predictions that carry gradients", why, edits)
        return replace(
            found, confidence="high" if edits else "medium", evidence=(also(function, loss.call, "the loss"),)
        )


def _loss_name(call: ast.Call) -> str:
    target = receiver(call)
    if isinstance(target, ast.Call) and called_name(target) == "scale" and len(target.args) == 1:
        target = target.args[0]
    return target.id if isinstance(target, ast.Name) else ""


def _inner(node: ast.expr, function: Function) -> ast.expr | None:
    """What a value without a history was made of: `x` of `torch.tensor(x)` and of `x.item()`; None for anything else."""
    if isinstance(node, ast.Attribute) and node.attr == "data":
        return node.value
    if not isinstance(node, ast.Call):
        return None
    name = called_name(node)
    if name in _CUTS and isinstance(node.func, ast.Attribute) and not node.args:
        return node.func.value
    if name in _MAKERS and len(node.args) == 1 and _is_computed(node.args[0], function):
        return node.args[0] if name != "Variable" or _requires_grad(node) else None
    return None


def _is_computed(node: ast.expr, function: Function) -> bool:
    """Whether it is a loss or built of one, not a number or data: only then was there a history to lose."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    said = " ".join(ast.unparse(n).lower() for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute))
    return bool(names) and ("loss" in said or "criterion" in said) and not isinstance(node, ast.Constant)


def _requires_grad(call: ast.Call) -> bool:
    return any(
        k.arg == "requires_grad" and isinstance(k.value, ast.Constant) and k.value.value is True for k in call.keywords
    )


def _cut_output(loss: Loss) -> ast.expr | None:
    """The step that cuts the output of a loss whose result is differentiated, its target being plain data."""
    function = loss.function
    statement = function.source.statement(loss.call)
    target = statement.targets[0] if isinstance(statement, ast.Assign) and statement.value is loss.call else None
    if not isinstance(target, ast.Name) or target.id not in {_loss_name(c) for c in backwards(function)}:
        return None
    if not isinstance(loss.target, ast.Name) or function.assignments(loss.target.id):
        return None  # the target may be what carries the gradient
    output: ast.expr | None = loss.output
    if isinstance(output, ast.Name):
        value = function.last_value(output.id, loss.call.lineno)
        output = value if isinstance(value, ast.Call | ast.Attribute) else None
    while (
        isinstance(output, ast.Call)
        and called_name(output) in ("float", "squeeze", "view")
        and receiver(output) is not None
    ):
        output = receiver(output)
    if (
        isinstance(output, ast.Call)
        and called_name(output) in ("detach", "argmax", "item", "numpy")
        and receiver(output)
    ):
        return output if _inner(output, function) is not None or called_name(output) == "argmax" else None
    if isinstance(output, ast.Attribute) and output.attr == "data":
        return output
    return None

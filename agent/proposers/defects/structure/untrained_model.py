"""A model that takes part in the loss and whose parameters no optimizer has.

Why it hurts: of an encoder and a decoder only one is trained; the other keeps the weights it was born with, and the
trained one learns to live with noise. The loss falls, and stops early. Source: defects4ml; Humbatova et al. 2020
(training process).

    before                                          after
    opt = Adam(dec.parameters())                    opt = Adam(list(dec.parameters()) + list(enc.parameters()))
    loss = f(dec(enc(x)), y)                        loss = f(dec(enc(x)), y)

Silent: models that are put into evaluation mode, frozen, loaded, handed to another object, or called without gradients.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function
from ..training import backwards, is_backward
from .found import also, at
from .layers import has_weights
from .optimizer_too_early import optimized

_PLAIN = frozenset("train to cuda zero_grad double float apply".split())


@dataclass(frozen=True, slots=True)
class UntrainedModel:
    name: str = "untrained_model"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            optimizers = [call for call in function.calls if optimized(call, function)]
            if not optimizers or not backwards(function) or _collects(function):
                continue
            for name, made in _models(function, program):
                if _is_only_called(name, function) and _is_in_the_loss(name, function):
                    yield self._finding(name, made, optimizers, function)

    def _finding(self, name: str, made: ast.Call, optimizers: list[ast.Call], function: Function) -> Finding:
        edits: tuple[Edit, ...] = ()
        if len(optimizers) == 1:
            given = optimizers[0].args[0]
            new = f"list({function.source.segment(given)}) + list({name}.parameters())"
            edits = (function.replace(given, new),)
        why = f"`{name}` takes part in the loss, and no optimizer has its parameters: they stay as they were made."
        found = at(self.name, function, made, f"Train {name} too", why, edits)
        return replace(found, evidence=(also(function, optimizers[0], "the optimizer is built here"),))


def _collects(function: Function) -> bool:
    """Whether parameters reach an optimizer by a list, a chain or groups."""
    return any(
        called_name(call) in ("chain", "add_param_group", "extend", "append")
        and any(isinstance(n, ast.Call) and called_name(n) == "parameters" for n in ast.walk(call))
        for call in function.calls
    )


def _models(function: Function, program: Program) -> list[tuple[str, ast.Call]]:
    """Names of the function that stand for a model made in it, once."""
    found: list[tuple[str, ast.Call]] = []
    for node in function.own:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            continue
        name, made = node.targets[0].id, node.value
        while isinstance(made, ast.Call) and called_name(made) in ("to", "cuda") and receiver(made) is not None:
            made = receiver(made) or made
        once = len(function.assignments(name)) == 1
        if once and isinstance(made, ast.Call) and has_weights(made, function, program):
            found.append((name, made))
    return found


def _is_only_called(name: str, function: Function) -> bool:
    """Whether nothing is done with the model but to call it, move it and set it to training."""
    parents = function.source.parents
    calls = 0
    for node in function.everything:
        if not isinstance(node, ast.Name) or node.id != name or not isinstance(node.ctx, ast.Load):
            continue
        above = parents[node]
        if isinstance(above, ast.Call) and above.func is node:
            calls += 1
        elif not isinstance(above, ast.Attribute) or above.attr not in _PLAIN:
            return False
    return calls > 0


def _is_in_the_loss(name: str, function: Function) -> bool:
    """Whether the model is called in the loop of the one backward, with gradients."""
    source = function.source
    made = [call for call in function.calls if is_backward(call)]
    loops = source.loops(made[0]) if made else []
    for call in function.calls:
        if not isinstance(call.func, ast.Name) or call.func.id != name:
            continue
        around = [
            ast.unparse(i.context_expr) for a in source.ancestors(call) if isinstance(a, ast.With) for i in a.items
        ]
        if any("no_grad" in text or "inference_mode" in text for text in around):
            return False
        above = source.parents[call]
        if isinstance(above, ast.Attribute) and above.attr in ("detach", "data"):
            return False
        if not loops or loops[0] not in source.loops(call):
            return False
        statement = source.statement(call)
        target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
        if target and any(ast.unparse(c.func) in (f"{target}.detach", f"{target}.item") for c in function.calls):
            return False
    return bool(made)

"""Attention scores masked with minus infinity after the softmax.

Why it hurts: minus infinity removes a position only before the softmax. After it the weights of a row do not add up to
one, and the masked ones pull the values towards minus infinity: outputs are NaN, or so large that training never
recovers. Source: seen in public fix histories; Islam et al. 2020.

    before                                          after
    w = scores.softmax(-1)                          scores = scores.masked_fill(mask == 0, -1e9)
    w = w.masked_fill(mask == 0, -1e9)              w = scores.softmax(-1)

Silent: masking with zero after the softmax, and a second softmax that follows.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..heads import Ending, Heads
from ..program import Program, called_name
from ..source import Function
from .found import also, at
from .signs import number


@dataclass(frozen=True, slots=True)
class MaskAfterSoftmax:
    name: str = "mask_after_softmax"

    def detect(self, program: Program) -> Iterable[Finding]:
        heads = Heads(program)
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in ("masked_fill", "masked_fill_") or not isinstance(call.func, ast.Attribute):
                    continue
                if len(call.args) != 2 or not is_minus_infinity(call.args[1]):
                    continue
                masked = call.func.value
                ending = heads.of(masked, function)
                if ending is None or ending.kind != "softmax" or ending.function is not function:
                    continue
                if not _softmax_follows(call, function):
                    yield self._finding(call, ending, function)

    def _finding(self, call: ast.Call, ending: Ending, function: Function) -> Finding:
        why = f"The softmax on line {ending.node.lineno} is done when the mask comes: the row no longer adds up to one."
        found = at(
            self.name, function, call, "Mask the scores before their softmax", why, _edits(call, ending, function)
        )
        return replace(found, confidence="high", evidence=(also(function, ending.node, "the softmax"),))


def is_minus_infinity(node: ast.expr) -> bool:
    """`-inf`, `-1e9`, `torch.finfo(x.dtype).min`: what stands for minus infinity in a mask."""
    value = number(node)
    if value is not None:
        return value <= -1e4
    text = ast.unparse(node).replace(" ", "")
    return text in ("float('-inf')", "-float('inf')", "-torch.inf", "-math.inf", "-np.inf", "-numpy.inf") or (
        "finfo(" in text and text.endswith(".min")
    )


def _softmax_follows(call: ast.Call, function: Function) -> bool:
    return any(
        called_name(other) in ("softmax", "log_softmax", "topk", "argmax", "max") and other.lineno >= call.lineno
        for other in function.calls
        if other is not call
    )


def _edits(call: ast.Call, ending: Ending, function: Function) -> tuple[Edit, ...]:
    """The mask goes onto what the softmax is taken of; only where both are statements that set one name each."""
    source = function.source
    masking, normalising = source.statement(call), source.statement(ending.node)
    if not isinstance(masking, ast.Assign) or masking.value is not call or ending.inner is None:
        return ()
    if not isinstance(normalising, ast.Assign) or normalising.value is not ending.node:
        return ()
    if source.parents[masking] is not source.parents[normalising]:
        return ()
    if ast.unparse(masking.targets[0]) != ast.unparse(normalising.targets[0]):
        return ()
    if not isinstance(ending.inner, ast.Name):
        return ()
    arguments = ", ".join(source.segment(a) for a in call.args)
    scores = ending.inner.id
    return (
        function.edit("delete_statement", **function.anchor(masking)),
        function.insert(f"{scores} = {scores}.masked_fill({arguments})", "before", normalising),
    )

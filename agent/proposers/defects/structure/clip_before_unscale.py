"""Gradients clipped while they are still scaled for mixed precision.

Why it hurts: a `GradScaler` multiplies the loss, and so the gradients, by up to 65,536. Clipped before `unscale_`, every
gradient is cut to the threshold and then divided by the scale: steps are tens of thousands of times too small, the loss
hardly moves, and no learning rate in the usual range mends it. Source: the mixed-precision examples of PyTorch's
documentation; seen in public fix histories.

    before                                          after
    scaler.scale(loss).backward()                   scaler.scale(loss).backward()
    clip_grad_norm_(net.parameters(), 1.0)          scaler.unscale_(opt)
    scaler.step(opt)                                clip_grad_norm_(net.parameters(), 1.0)
                                                    scaler.step(opt)

Silent: `unscale_` anywhere in the function or in one it calls, clipping that belongs to another optimizer's pass, and
scalers that clip for themselves.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function
from ..training import backwards
from .found import also, at

CLIPS = frozenset("clip_grad_norm_ clip_grad_value_ clip_grad_norm".split())


@dataclass(frozen=True, slots=True)
class ClipBeforeUnscale:
    name: str = "clip_before_unscale"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            clips = [call for call in function.calls if called_name(call) in CLIPS]
            scaled = [(c, s) for c in backwards(function) if (s := _scaler(c)) is not None] if clips else []
            if len(scaled) != 1 or _unscales(function, program):
                continue
            backward, scaler = scaled[0]
            steps = [c for c in function.calls if ast.unparse(c.func) == f"{scaler}.step" and len(c.args) == 1]
            between = [c for c in clips if backward.lineno < c.lineno and steps and c.lineno < steps[0].lineno]
            if len(steps) == 1 and len(between) == 1:
                yield self._finding(between[0], scaler, steps[0], function)

    def _finding(self, clip: ast.Call, scaler: str, step: ast.Call, function: Function) -> Finding:
        optimizer = function.source.segment(step.args[0])
        edit = function.insert(f"{scaler}.unscale_({optimizer})", "before", function.source.statement(clip))
        why = f"The gradients are still multiplied by {scaler}'s scale here: every one of them is cut to the threshold."
        found = at(self.name, function, clip, "Unscale the gradients before clipping them", why, (edit,))
        return replace(found, confidence="high", evidence=(also(function, step, "unscaled only here"),))


def _scaler(call: ast.Call) -> str | None:
    """`scaler` of `scaler.scale(loss).backward()`."""
    target = receiver(call)
    if isinstance(target, ast.Call) and called_name(target) == "scale" and isinstance(target.func, ast.Attribute):
        return ast.unparse(target.func.value)
    return None


def _unscales(function: Function, program: Program) -> bool:
    calls = [
        *function.calls,
        *(c for call in function.calls for f in program.reach(call, function, 1) for c in f.calls),
    ]
    return any("unscale" in called_name(call) for call in calls)

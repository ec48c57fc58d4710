"""Gradients clipped when there are none: after the step, or before the backward pass.

Why it hurts: clipping changes the gradients that are there. After `step()` they have been used, and before `backward()`
they are zero: the run is one without clipping, whatever threshold is chosen, and a search over it sees a plateau. Source:
Humbatova et al. 2020 (training process); AutoTrainer (exploding gradients).

    before                                          after
    loss.backward()                                 loss.backward()
    opt.step()                                      clip_grad_norm_(net.parameters(), 1.0)
    clip_grad_norm_(net.parameters(), 1.0)          opt.step()

Silent: clipping between the two, loops that do not clear gradients, several passes in one block, and clipping whose
result is read, for then it may only be measured.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from ..training import is_backward, is_zero_grad, stepped_optimizer
from .clip_before_unscale import CLIPS
from .found import also, at


@dataclass(frozen=True, slots=True)
class ClipOrder:
    name: str = "clip_order"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in CLIPS:
                    continue
                statement = function.source.statement(call)
                block = getattr(function.source.parents[statement], "body", [])
                if not isinstance(statement, ast.Expr) or statement not in block:
                    continue
                step = _wrong_place(block, statement, function, program)
                if step is not None:
                    yield self._finding(statement, step, function)

    def _finding(self, clip: ast.stmt, step: ast.stmt, function: Function) -> Finding:
        edits = (
            function.edit("delete_statement", **function.anchor(clip)),
            function.insert(function.source.segment(clip), "before", step),
        )
        when = "have been used already" if clip.lineno > step.lineno else "are zero"
        why = f"The gradients {when} when they are clipped here: the threshold has no effect."
        found = at(self.name, function, clip, "Clip gradients between backward and step", why, edits)
        return replace(found, confidence="high", evidence=(also(function, step, "the step"),))


def _wrong_place(
    block: list[ast.stmt], clip: ast.stmt, function: Function, program: Program
) -> ast.stmt | None:  # fmt: skip
    """The step that the clipping should stand before, where it stands after it or before the backward pass."""
    backward = [s for s in block if any(is_backward(n) for n in ast.walk(s))]
    step = [s for s in block if any(stepped_optimizer(n, function, program) is not None for n in ast.walk(s))]
    zero = [s for s in block if any(is_zero_grad(n) for n in ast.walk(s))]
    if len(backward) != 1 or len(step) != 1 or len(zero) != 1 or not isinstance(step[0], ast.Expr):
        return None
    place, before, after, cleared = (block.index(s) for s in (clip, backward[0], step[0], zero[0]))
    if before < after < place or cleared < place < before < after:
        return step[0]
    return None

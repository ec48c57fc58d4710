"""Gradients are never cleared between steps.

Why it hurts: `backward` adds to `.grad`, so every step is taken along the sum of all gradients so far; training slows,
oscillates or diverges, and no learning rate mends it. Source: Humbatova et al. 2020; rule W5517 of dslinter.

    before                          after
        loss.backward()                 optimizer.zero_grad()
        optimizer.step()                loss.backward()
                                        optimizer.step()

Not flagged: gradients cleared anywhere in the loop under any name, in a function it calls or, for a function that makes
one step, by who calls it; accumulation that clears after its step; engines that step and clear for themselves.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .program import Program, receiver
from .source import Function, words
from .training import backwards, is_zero_grad, steps

STEP_WORDS = frozenset("step train training update batch fit epoch learn optimize".split())


@dataclass(frozen=True, slots=True)
class MissingZeroGrad:
    name: str = "missing_zero_grad"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            made, stepped = backwards(function), steps(function, program)
            if not made or not stepped or program.is_framework(function):
                continue
            step, optimizer = stepped[0]
            if _is_engine(made, optimizer):
                continue
            if not _clears(function, made, step, program):
                yield self._finding(function, made, step, optimizer)
                continue
            for step, optimizer in _forgotten(function, stepped, program):
                before = [call for call in made if call.lineno < step.lineno]
                if before:
                    yield self._finding(function, before[-1:], step, optimizer)

    def _finding(self, function: Function, made: list[ast.Call], step: ast.Call, optimizer: ast.expr) -> Finding:
        text = ast.unparse(optimizer)
        outside = [node for node in function.everything if is_zero_grad(node)]
        where = f"only outside the loop (line {outside[0].lineno})" if outside else "nowhere"  # type: ignore[attr-defined]
        return Finding(
            self.name,
            function.source.path,
            made[0].lineno,
            function.name,
            f"Clear gradients before each step of {text}"[:72],
            f"backward() adds to the gradients that are there, and {text} clears them {where}: each step follows the sum "
            "of all gradients since the start.",
            _edits(function, made, step, text),
            (
                Evidence(function.source.path, made[0].lineno, "gradients are added here"),
                Evidence(function.source.path, step.lineno, "and used here"),
            ),
        )


def _edits(function: Function, made: list[ast.Call], step: ast.Call, optimizer: str) -> tuple[Edit, ...]:
    source = function.source
    first, stepping = source.statement(made[0]), source.statement(step)
    clear = f"{optimizer}.zero_grad()"
    if source.parents[first] is source.parents[stepping]:
        return (function.insert(clear, "before", first),)
    # Steps every few batches, or inside a `with`: cleared once used.
    return (function.insert(clear, "after", stepping),)


def _forgotten(
    function: Function, stepped: list[tuple[ast.Call, ast.expr]], program: Program
) -> list[tuple[ast.Call, ast.expr]]:
    """Optimizers that step but are not cleared where others that step are, each by its own name."""
    cleared: set[str] = set()
    for node in function.everything:
        if is_zero_grad(node):
            target = receiver(node) if isinstance(node, ast.Call) else None
            cleared.add(ast.unparse(target) if target is not None else "")
    names = {ast.unparse(optimizer) for _, optimizer in stepped}
    if len(names) < 2 or not cleared or not cleared <= names:
        return []
    if any(is_zero_grad(n) for call in function.calls for f in program.reach(call, function) for n in f.everything):
        return []
    return [(call, optimizer) for call, optimizer in stepped if ast.unparse(optimizer) not in cleared]


def _is_engine(made: list[ast.Call], optimizer: ast.expr) -> bool:
    """`engine.backward(loss); engine.step()`: DeepSpeed and its like clear for themselves."""
    return any(
        (target := receiver(call)) is not None and ast.unparse(target) == ast.unparse(optimizer) for call in made
    )


def _clears(function: Function, made: Sequence[ast.Call], step: ast.Call, program: Program) -> bool:
    loops = function.source.loops(step)
    shared = [loop for loop in loops if loop in function.source.loops(made[0])]
    region = list(ast.walk(shared[0])) if shared else list(function.everything)
    if any(is_zero_grad(node) for node in region):
        return True
    calls = [node for node in region if isinstance(node, ast.Call)]
    if any(is_zero_grad(n) for call in calls for f in program.reach(call, function) for n in f.everything):
        return True
    if shared:
        return False
    # One step a call: whoever calls it may clear, and somebody has to call it again and again.
    callers = program.callers(function)
    if any(is_zero_grad(node) for caller, _ in callers for node in caller.everything):
        return True
    repeated = any(caller.source.loops(call) for caller, call in callers)
    return not repeated and not STEP_WORDS.intersection(words(function.name))

"""The GPU's memory cache is emptied in every training step.

Why it hurts: each call waits for the GPU and gives memory back that the next step asks for again; a step gets slower and no larger
batch fits. Source: PyTorch's notes on CUDA memory management (empty_cache frees nothing that is in use).

    before                                              after
        for batch in loader:                                for batch in loader:
            loss = model(batch)                                 loss = model(batch)
            loss.backward()                                     loss.backward()
            optimizer.step()                                    optimizer.step()
            torch.cuda.empty_cache()

Silent: calls outside the loop that trains, below a condition in it, and where memory is handed to another framework.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function
from ..training import backwards


@dataclass(frozen=True, slots=True)
class CacheEmptiedEachStep:
    name: str = "cache_emptied_each_step"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            made = backwards(function)
            for call in function.calls if made else ():
                if function.source.full(call.func) == "torch.cuda.empty_cache" and _is_each_step(call, made, function):
                    statement = function.source.statement(call)
                    yield Finding(
                        self.name, function.source.path, call.lineno, function.name, "Leave the GPU's memory cache alone in training",
                        "Every step waits for the GPU and then asks for the same memory again.",
                        (function.edit("delete_statement", **function.anchor(statement)),), effect="cost",
                    )  # fmt: skip


def _is_each_step(call: ast.Call, made: list[ast.Call], function: Function) -> bool:
    source = function.source
    inner = source.loops(call)[:1]
    return (
        bool(inner)
        and any(source.loops(one)[:1] == inner for one in made)
        and source.parents[source.statement(call)] is inner[0]
    )

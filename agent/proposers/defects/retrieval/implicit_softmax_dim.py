"""A softmax does not say along which dimension.

Why it hurts: PyTorch guesses, and guesses differently by the number of dimensions: the last of two, the first of three. With a batch
in front the probabilities then sum to one over the batch, and each example depends on the others. Source: the documentation of
torch.nn.functional.softmax (the implicit dimension is deprecated); Humbatova et al. 2020, wrong API use.

    before                              after
        F.softmax(scores)                   F.softmax(scores, dim=-1)

Silent: calls that give `dim`, by name or by place.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, keyword_of
from ..source import Function

_FUNCTIONS = {"torch.nn.functional.softmax": 1, "torch.nn.functional.log_softmax": 1, "torch.nn.functional.softmin": 1,
              "torch.nn.Softmax": 0, "torch.nn.LogSoftmax": 0, "torch.nn.Softmin": 0}  # fmt: skip
"""Arguments before `dim`."""


@dataclass(frozen=True, slots=True)
class ImplicitSoftmaxDim:
    name: str = "implicit_softmax_dim"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                before = _FUNCTIONS.get(function.source.full(call.func))
                if before is not None and _is_silent(call, before):
                    yield self._finding(call, function)

    def _finding(self, call: ast.Call, function: Function) -> Finding:
        text = ast.unparse(call)
        same = [c for c in function.everything if isinstance(c, ast.Call) and ast.unparse(c) == text]
        nth = {} if len(same) == 1 else {"nth": str(same.index(call) + 1)}
        return Finding(
            self.name, function.source.path, call.lineno, function.name, "Say along which dimension the softmax goes",
            f"`{text[:60]}` leaves the dimension to a guess: the last of two dimensions, but the first of one or three.",
            (function.edit("set_keyword", call=text, keyword="dim", value="-1", **nth),),
        )  # fmt: skip


def _is_silent(call: ast.Call, before: int) -> bool:
    stars = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
    return not stars and keyword_of(call, "dim") is None and len(call.args) <= before

"""A softmax over a single output, which is always 1.

Why it hurts: the network answers the same for everything and its gradient is zero; the loss does not move. Source:
NeuraLint; the question most often asked of Keras' `Dense(1, activation="softmax")`.

    before                                          after
    Dense(1, activation="softmax")                  Dense(1, activation="sigmoid")

    nn.Linear(64, 1), nn.Softmax(dim=-1)            nn.Linear(64, 1), nn.Sigmoid()

Not flagged: a softmax over another axis, as in attention over time.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function


@dataclass(frozen=True, slots=True)
class SoftmaxOfOne:
    name: str = "softmax_of_one"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                for node, edit in (*_dense(call, function), *_sequence(call, function)):
                    yield Finding(
                        self.name,
                        function.source.path,
                        node.lineno,
                        function.name,
                        "Use a sigmoid for a single output",
                        f"`{ast.unparse(node)[:70]}`: the softmax of one number is 1, whatever the number is.",
                        (edit,),
                        confidence="high",
                    )


def _dense(call: ast.Call, function: Function) -> Iterator[tuple[ast.expr, Edit]]:
    """`Dense(1, activation="softmax")` of Keras."""
    activation = keyword_of(call, "activation")
    units = call.args[0] if call.args else keyword_of(call, "units")
    if called_name(call) != "Dense" or not isinstance(activation, ast.Constant) or activation.value != "softmax":
        return
    if isinstance(units, ast.Constant) and units.value == 1:
        new = function.source.segment(activation).replace("softmax", "sigmoid")
        yield call, function.replace(call, function.source.spliced(call, activation, new))


def _sequence(call: ast.Call, function: Function) -> Iterator[tuple[ast.expr, Edit]]:
    """`nn.Linear(n, 1)` followed by `nn.Softmax(dim=-1)`."""
    if called_name(call) != "Sequential":
        return
    for layer, after in zip(call.args, call.args[1:], strict=False):
        match layer, after:
            case ast.Call(args=[_, ast.Constant(value=1), *_]), ast.Call() if called_name(layer) == "Linear":
                axis = keyword_of(after, "dim") or (after.args[0] if after.args else None)
            case _:
                continue
        if called_name(after) == "Softmax" and axis is not None and ast.unparse(axis) == "-1":
            prefix = function.source.segment(after.func)[: -len("Softmax")]
            yield after, function.replace(after, f"{prefix}Sigmoid()")

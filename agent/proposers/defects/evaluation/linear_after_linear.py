"""Two linear layers with nothing but dropout between them are one linear layer.

Why it hurts: the second adds parameters and no power: the network cannot learn more than without it, however wide it
is. Source: five of seventy records of defects4ml (activations); NeuraLint; DeepCrime (activation removed).

    before                                          after
    nn.Sequential(                                  nn.Sequential(
        nn.Linear(784, 256),                            nn.Linear(784, 256),
        nn.Linear(256, 10),                             nn.ReLU(),
    )                                                   nn.Linear(256, 10),
                                                    )

Not flagged: a middle that is narrower than both ends, which is a matrix of low rank made on purpose, and layers without
readable sizes.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function
from .composed import Composed

_ACTIVATIONS = frozenset("ReLU GELU SiLU Tanh LeakyReLU ELU SELU Mish Sigmoid Softplus PReLU ReLU6 Hardswish".split())
_LINEAR = frozenset({"Dropout", "Identity"})


@dataclass(frozen=True, slots=True)
class LinearAfterLinear:
    name: str = "linear_after_linear"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) != "Sequential" or not function.source.full(call.func).endswith("nn.Sequential"):
                    continue
                for first, second in _pairs(call):
                    if not _is_wide(first, second):
                        continue
                    whole = Composed("", call, tuple(call.args), function)
                    new = whole.with_after(first, _activation(call, first, function))
                    yield Finding(
                        self.name,
                        function.source.path,
                        second.lineno,
                        function.name,
                        "Put an activation between two linear layers",
                        f"`{ast.unparse(first)[:50]}` and `{ast.unparse(second)[:50]}` together are one linear map.",
                        (function.replace(call, new),),
                        confidence="high",
                    )
                    break


def _pairs(call: ast.Call) -> Iterator[tuple[ast.Call, ast.Call]]:
    before: ast.Call | None = None
    for step in call.args:
        name = called_name(step) if isinstance(step, ast.Call) else ""
        if name == "Linear" and isinstance(step, ast.Call):
            if before is not None:
                yield before, step
            before = step
        elif name not in _LINEAR:
            before = None


def _is_wide(first: ast.Call, second: ast.Call) -> bool:
    """Whether the middle is as wide as one of the ends: then the pair is no factored matrix."""
    sizes = [_size(first, 0), _size(first, 1), _size(second, 0), _size(second, 1)]
    if any(size is None for size in sizes):
        return False
    numbers = [size.value if isinstance(size, ast.Constant) else None for size in sizes]
    if all(type(number) is int for number in numbers):
        return numbers[1] >= min(numbers[0], numbers[3])  # type: ignore[type-var,operator]
    return ast.unparse(sizes[0] or first) == ast.unparse(sizes[1] or first)


def _size(layer: ast.Call, place: int) -> ast.expr | None:
    given = keyword_of(layer, ("in_features", "out_features")[place])
    return given if given is not None else layer.args[place] if len(layer.args) > place else None


def _activation(call: ast.Call, layer: ast.Call, function: Function) -> str:
    """The activation that the network uses elsewhere, or a ReLU."""
    used = next((s for s in call.args if isinstance(s, ast.Call) and called_name(s) in _ACTIVATIONS), None)
    if used is not None:
        return function.source.segment(used)
    prefix = function.source.segment(layer.func).rpartition(".")[0] or "torch.nn"
    return f"{prefix}.ReLU()"

"""A convolution has a bias, and the batch normalisation right behind it takes it off again.

Why it hurts: parameters that change nothing, with moments in the optimizer and an addition over the whole output in every step.
Source: rule 8 of NeuraLint (Nikanjam et al., TOSEM 2021).

    before                                                      after
        nn.Sequential(nn.Conv2d(3, 64, 3),                          nn.Sequential(nn.Conv2d(3, 64, 3, bias=False),
                      nn.BatchNorm2d(64), nn.ReLU())                              nn.BatchNorm2d(64), nn.ReLU())

Silent: layers that say `bias=`, normalisation without an affine part or with frozen statistics, and anything in between.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program, keyword_of
from ..source import Function

_LAYERS = frozenset(
    {"torch.nn.Conv1d", "torch.nn.Conv2d", "torch.nn.Conv3d", "torch.nn.ConvTranspose2d", "torch.nn.Linear"}
)
_NORMS = frozenset({"torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d", "torch.nn.BatchNorm3d"})
_BIAS_AT = {"torch.nn.Linear": 2}
"""Place of `bias` among the arguments; 7 for a convolution."""


@dataclass(frozen=True, slots=True)
class BiasBeforeNorm:
    name: str = "bias_before_norm"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            layers = list(_followed(function))
            if layers:
                yield Finding(
                    self.name, function.source.path, layers[0].lineno, function.name,
                    "Leave out the bias before the normalisation",
                    f"The mean that is taken off behind `{ast.unparse(layers[0])[:60]}` holds its bias, so the bias has no effect.",
                    tuple(_edit(layer, function) for layer in reversed(layers)),
                    tuple(Evidence(function.source.path, layer.lineno, "a bias without effect") for layer in layers),
                    effect="cost", confidence="low",
                )  # fmt: skip


def _edit(layer: ast.Call, function: Function) -> Edit:
    """Made from the last layer to the first: layers that read the same are counted, and an edited one reads otherwise."""
    text = ast.unparse(layer)
    same = [node for node in function.everything if isinstance(node, ast.Call) and ast.unparse(node) == text]
    nth = {} if len(same) == 1 else {"nth": str(same.index(layer) + 1)}
    return function.edit("set_keyword", call=text, keyword="bias", value="False", **nth)


def _followed(function: Function) -> Iterator[ast.Call]:
    """Layers with a bias whose next neighbour in a Sequential or a list of layers normalises over the batch."""
    for node in function.own:
        items: list[ast.expr] = []
        if isinstance(node, ast.Call) and function.source.full(node.func) == "torch.nn.Sequential":
            items = node.args
        for layer, norm in pairwise(items):
            if (
                isinstance(layer, ast.Call)
                and isinstance(norm, ast.Call)
                and _has_bias(layer, function)
                and _takes_it(norm, function)
            ):
                yield layer


def _has_bias(layer: ast.Call, function: Function) -> bool:
    full = function.source.full(layer.func)
    stars = any(isinstance(a, ast.Starred) for a in layer.args) or any(k.arg is None for k in layer.keywords)
    return (
        full in _LAYERS and keyword_of(layer, "bias") is None and not stars and len(layer.args) <= _BIAS_AT.get(full, 7)
    )


def _takes_it(norm: ast.Call, function: Function) -> bool:
    held = {keyword.arg for keyword in norm.keywords}
    return function.source.full(norm.func) in _NORMS and not held & {"affine", "track_running_stats", None}

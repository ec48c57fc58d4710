"""Every layer's weights are set to one number.

Why it hurts: all units of a layer then compute the same and get the same gradient, so they stay the same for ever; with
zeros nothing reaches the layers below at all. Source: two of seventy records of defects4ml (initialisation); NeuraLint.

    before                                          after
    for m in self.modules():                        for m in self.modules():
        if isinstance(m, nn.Linear):                    if isinstance(m, nn.Linear):
            nn.init.zeros_(m.weight)                        nn.init.kaiming_uniform_(m.weight, a=5**0.5)

Not flagged: norms and biases, single layers that start at zero on purpose (the last of a branch, adapters, gates).
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name
from ..source import Function

_LAYERS = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d"})
_ONE_NUMBER = frozenset({"zeros_", "ones_", "constant_"})


@dataclass(frozen=True, slots=True)
class SymmetricWeights:
    name: str = "symmetric_weights"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls if "isinstance" in function.source.text else ():
                if called_name(call) not in _ONE_NUMBER or not function.source.full(call.func).startswith(
                    "torch.nn.init."
                ):
                    continue
                layer = call.args[0] if call.args else None
                if (
                    not isinstance(layer, ast.Attribute)
                    or layer.attr != "weight"
                    or not isinstance(layer.value, ast.Name)
                ):
                    continue
                if not _is_of_every_layer(call, layer.value.id, function):
                    continue
                prefix = function.source.segment(call.func).rpartition(".")[0]
                target = function.source.segment(layer)
                new = f"{prefix}.kaiming_uniform_({target}, a=5**0.5)"
                yield Finding(
                    self.name,
                    function.source.path,
                    call.lineno,
                    function.name,
                    "Give the units of a layer different weights",
                    f"`{ast.unparse(call)}` makes all units of every such layer alike, and their gradients keep them so.",
                    (function.replace(call, new),) if prefix else (),
                    confidence="high",
                )


def _is_of_every_layer(call: ast.Call, name: str, function: Function) -> bool:
    """Whether it stands right under `if isinstance(m, nn.Linear)`, with `m` from a loop over modules or given to `apply`."""
    statement = function.source.statement(call)
    branch = function.source.parents[statement]
    match branch:
        case ast.If(test=ast.Call(func=ast.Name("isinstance"), args=[ast.Name(asked), kinds]), body=body) if (
            asked == name
        ):
            pass
        case _:
            return False
    layers = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
    if statement not in body or not all(function.source.full(k).rpartition(".")[2] in _LAYERS for k in layers):
        return False
    others = [
        c for c in function.calls if called_name(c).endswith("_") and c is not call and "weight" in ast.unparse(c)
    ]
    return not any(ast.unparse(c.args[0]) == f"{name}.weight" for c in others if c.args and c.lineno > call.lineno)

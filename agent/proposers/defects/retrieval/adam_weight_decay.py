"""Adam is given a weight decay, which it adds to the gradient.

Why it hurts: Adam then divides the decay by the size of the gradients, so weights with large gradients hardly decay at all; AdamW
takes it off the weights themselves, and generalises better at the same cost. Source: Loshchilov and Hutter, ICLR 2019; Islam et
al. 2019 on optimizer parameters.

    before                                                          after
        torch.optim.Adam(net.parameters(), lr=lr, weight_decay=0.01)    torch.optim.AdamW(net.parameters(), lr=lr,
                                                                                          weight_decay=0.01)

Silent: a decay of zero or from a setting that may be zero, optimizers chosen by name from a table, and Adam of another package.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, keyword_of
from ..source import Function

SMALL = 1e-3
"""Below this, a decay was likely chosen for the L2 form, where AdamW's would do next to nothing."""


@dataclass(frozen=True, slots=True)
class AdamWeightDecay:
    name: str = "adam_weight_decay"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                decay = keyword_of(call, "weight_decay")
                if decay is None or function.source.full(call.func) not in (
                    "torch.optim.Adam",
                    "torch.optim.adam.Adam",
                ):
                    continue
                if (
                    keyword_of(call, "decoupled_weight_decay") is None
                    and _is_meant(decay)
                    and not _is_a_choice(call, function)
                ):
                    yield self._finding(call, decay, function)

    def _finding(self, call: ast.Call, decay: ast.expr, function: Function) -> Finding:
        edits = (
            (function.replace(call.func, f"{ast.unparse(call.func)}W"),) if isinstance(call.func, ast.Attribute) else ()
        )
        return Finding(
            self.name, function.source.path, call.lineno, function.name, "Use AdamW for the weight decay",
            f"Adam adds `weight_decay={ast.unparse(decay)}` to the gradient and then scales it away; AdamW decays the weights "
            "themselves.",
            edits, confidence="low",
        )  # fmt: skip


def _is_meant(decay: ast.expr) -> bool:
    return isinstance(decay, ast.Constant) and isinstance(decay.value, int | float) and decay.value >= SMALL


def _is_a_choice(call: ast.Call, function: Function) -> bool:
    """Whether the function offers other optimizers besides."""
    return any("torch.optim." in (full := function.source.full(other.func)) and full != function.source.full(call.func)
               for other in function.calls)  # fmt: skip

"""Autograd's search for anomalies is left on for the whole training.

Why it hurts: it records a stack for every operation and looks at every gradient: training takes several times as long, so a fixed
budget buys a fraction of the steps. Source: PyTorch's performance tuning guide ("disable debugging APIs").

    before                                              after
        torch.autograd.set_detect_anomaly(True)             torch.autograd.set_detect_anomaly(False)

Silent: calls whose argument is a setting, calls below a condition, and `with detect_anomaly()` around one step.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program
from ..source import Function

_CALL = "torch.autograd.set_detect_anomaly"


@dataclass(frozen=True, slots=True)
class AnomalyModeLeftOn:
    name: str = "anomaly_mode_left_on"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if _is_on(call, function) and not _is_conditional(call, function):
                    yield Finding(
                        self.name, function.source.path, call.lineno, function.name, "Switch autograd's anomaly detection off",
                        "Anomaly detection is for finding one bad operation; left on, it slows every step down several times.",
                        (function.replace(call, f"{ast.unparse(call.func)}(False)"),), effect="cost", confidence="high",
                        safe=True,
                    )  # fmt: skip


def _is_on(call: ast.Call, function: Function) -> bool:
    return (
        function.source.full(call.func) == _CALL
        and len(call.args) == 1
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value is True
    )


def _is_conditional(call: ast.Call, function: Function) -> bool:
    return any(
        isinstance(above, ast.If | ast.With | ast.Try) for above in function.source.ancestors(call)
    ) and not _is_main(call, function)


def _is_main(call: ast.Call, function: Function) -> bool:
    """Whether the only condition around it is `if __name__ == "__main__":`."""
    around = [above for above in function.source.ancestors(call) if isinstance(above, ast.If | ast.With | ast.Try)]
    return len(around) == 1 and isinstance(around[0], ast.If) and "__name__" in ast.unparse(around[0].test)

"""An optimizer built before the layers it is to train.

Why it hurts: an optimizer holds the parameters there were when it was built. A layer made afterwards, such as a new head
for a pretrained network, is never changed; a model made anew leaves the optimizer with the weights of the old one. The
loss falls a little, by the other layers, or not at all. Source: defects4ml; Humbatova et al. 2020.

    before                                          after
    opt = SGD(net.parameters(), lr=0.1)             net.fc = nn.Linear(512, 10)
    net.fc = nn.Linear(512, 10)                     opt = SGD(net.parameters(), lr=0.1)

Silent: wrapping (`DataParallel`, `compile`), moving to a device, layers without parameters, and parameters added by
`add_param_group`.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from .found import also, at
from .layers import has_weights


@dataclass(frozen=True, slots=True)
class OptimizerTooEarly:
    name: str = "optimizer_too_early"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                model = optimized(call, function)
                if not model or "add_param_group" in {called_name(c) for c in function.calls}:
                    continue
                statement = function.source.statement(call)
                block = getattr(function.source.parents[statement], "body", [])
                if not isinstance(statement, ast.Assign) or statement not in block:
                    continue
                late = _late_layers(model, block[block.index(statement) + 1 :], function, program)
                if late:
                    yield self._finding(statement, late[-1], model, function)

    def _finding(self, statement: ast.stmt, late: ast.stmt, model: str, function: Function) -> Finding:
        edits = (
            function.edit("delete_statement", **function.anchor(statement)),
            function.insert(function.source.segment(statement), "after", late),
        )
        why = f"The optimizer holds the parameters `{model}` has on this line; those made on line {late.lineno} are "
        why += "not among them and are never trained."
        found = at(self.name, function, statement, f"Build the optimizer when {model} is complete", why, edits)
        return replace(found, confidence="high", evidence=(also(function, late, "made afterwards"),))


def optimized(call: ast.Call, function: Function) -> str:
    """The model all of whose parameters an optimizer is built of; empty for any other call."""
    full = function.source.full(call.func)
    if ".optim." not in f".{full}" or "lr_scheduler" in full or not call.args:
        return ""
    given = call.args[0]
    if isinstance(given, ast.Call) and called_name(given) == "parameters" and isinstance(given.func, ast.Attribute):
        return ast.unparse(given.func.value)
    return ""


def _late_layers(model: str, after: list[ast.stmt], function: Function, program: Program) -> list[ast.stmt]:
    """Statements that give the model a layer with parameters, or make it anew."""
    found: list[ast.stmt] = []
    for statement in after:
        if any(isinstance(n, ast.Call) and optimized(n, function) for n in ast.walk(statement)):
            return []  # built again
        if (
            not isinstance(statement, ast.Assign)
            or len(statement.targets) != 1
            or not isinstance(statement.value, ast.Call)
        ):
            continue
        target = statement.targets[0]
        text = ast.unparse(target)
        if text != model and not (isinstance(target, ast.Attribute) and text.startswith(f"{model}.")):
            continue
        made = statement.value
        if has_weights(made, function, program) and model not in _names(made):
            found.append(statement)
    return found


def _names(call: ast.Call) -> set[str]:
    return {ast.unparse(n) for n in ast.walk(call) if isinstance(n, ast.Name | ast.Attribute)} - {"self"}

"""`kl_div` given probabilities where it expects their logarithms.

Why it hurts: `F.kl_div(input, target)` computes `target * (log(target) - input)`: the first argument has to be
log-probabilities. Of probabilities it makes a number that is no divergence, has no minimum where the two agree, and
falls as training goes on all the same. Source: Humbatova et al. 2020 (loss faults); documentation of KLDivLoss.

    before                                          after
    F.kl_div(F.softmax(s, -1), t)                   F.kl_div(F.log_softmax(s, -1), t)
    F.kl_div(log_p, F.log_softmax(t, -1))           F.kl_div(log_p, F.log_softmax(t, -1), log_target=True)

Silent: arguments whose last step cannot be told, and a target in logarithms with `log_target` given.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..heads import Ending, Heads
from ..program import Program, called_name, keyword_of
from ..source import Function
from .found import at


@dataclass(frozen=True, slots=True)
class KlDivInput:
    name: str = "kl_div_input"

    def detect(self, program: Program) -> Iterable[Finding]:
        heads = Heads(program)
        for function in program.functions:
            for call in function.calls:
                made = divergence(call, function, program)
                if made is None:
                    continue
                first = call.args[0] if call.args else keyword_of(call, "input")
                second = call.args[1] if len(call.args) > 1 else keyword_of(call, "target")
                if first is None or second is None:
                    continue
                ending, target = heads.of(first, function), heads.of(second, function)
                if ending is not None and ending.kind == "softmax" and ending.inner is not None:
                    yield self._of_input(call, first, ending, function)
                elif target is not None and target.kind == "log_softmax" and not _may_be_told(made):
                    yield self._of_target(call, made, function)

    def _of_input(self, call: ast.Call, first: ast.expr, ending: Ending, function: Function) -> Finding:
        why = "Its first argument ends in softmax, and kl_div expects log-probabilities there: this is no divergence."
        edit = _with_log(call, first, ending, function)
        found = at(self.name, function, call, "Give kl_div log-probabilities", why, (edit,))
        return replace(found, confidence="high")

    def _of_target(self, call: ast.Call, made: ast.Call, function: Function) -> Finding:
        why = "The target ends in log_softmax, and kl_div takes its logarithm again: that of a negative number."
        edits = (function.set_keyword(call, "log_target", "True"),) if made is call else ()
        found = at(self.name, function, call, "Tell kl_div that its target is in logarithms", why, edits)
        return replace(found, confidence="high")


def _may_be_told(made: ast.Call) -> bool:
    return any(keyword.arg in (None, "log_target") for keyword in made.keywords)


def divergence(call: ast.Call, function: Function, program: Program) -> ast.Call | None:
    """The call that chooses the options of a `kl_div`: itself, or the `KLDivLoss` it is a call of."""
    full = function.source.full(call.func)
    if full.startswith("torch.") and full.endswith(".kl_div"):
        return call
    if isinstance(call.func, ast.Call):
        return call.func if called_name(call.func) == "KLDivLoss" else None
    if len(call.args) + len(call.keywords) != 2 or "kl" not in called_name(call).lower():
        return None
    made = [
        v for v, _ in program.values(call.func, function) if isinstance(v, ast.Call) and called_name(v) == "KLDivLoss"
    ]
    return made[0] if len(made) == 1 else None


def _with_log(call: ast.Call, first: ast.expr, ending: Ending, function: Function) -> Edit:
    source = function.source
    if ending.node is first and isinstance(first, ast.Call):
        text, func = source.segment(first), source.segment(first.func)
        prefix, dot, name = func.rpartition(".")
        if dot and name == "softmax":
            return function.replace(first, f"{prefix}.log_softmax{text[len(func) :]}")
    text, func, old = source.segment(call), source.segment(call.func), source.segment(first)
    return function.replace(call, func + text[len(func) :].replace(old, f"{old}.clamp_min(1e-9).log()", 1))

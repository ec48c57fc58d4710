"""The logarithm of a softmax or sigmoid, in two steps.

Why it hurts: probabilities below the smallest number become 0, their logarithm minus infinity and their gradient NaN;
one confident mistake ends the run. Source: dslinter W5514; TorchFix; the notes of `torch.nn.functional.log_softmax`.

    before                                      after
    p = torch.log(F.softmax(x, dim=1))          p = F.log_softmax(x, dim=1)

The probability may have a name of its own. Values are equal wherever the first form has one.

Not flagged: an epsilon or clamp in between, and integers' or counts' logarithms.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function

_TORCH = ("torch.", "torch.nn.functional.")


@dataclass(frozen=True, slots=True)
class LogOfSoftmax:
    name: str = "log_of_softmax"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "torch" not in function.source.text or "log" not in function.source.text:
                continue
            for call in function.calls:
                inner = _logged(call, function)
                made = _softmax(inner, call, function) if inner is not None else None
                text = _in_one(made, function) if made is not None else ""
                if made is None or not text:
                    continue
                yield Finding(
                    self.name,
                    function.source.path,
                    call.lineno,
                    function.name,
                    f"Take the logarithm of {called_name(made)} in one step"[:72],
                    f"`{ast.unparse(call)[:80]}` is minus infinity, and its gradient NaN, as soon as a probability is "
                    "too small for the number format.",
                    (function.replace(call, text),),
                    confidence="high",
                    safe=True,
                )


def _logged(call: ast.Call, function: Function) -> ast.expr | None:
    """`p` of `torch.log(p)` and of `p.log()`."""
    if called_name(call) != "log" or call.keywords:
        return None
    if function.source.full(call.func) == "torch.log":
        return call.args[0] if len(call.args) == 1 else None
    return receiver(call) if not call.args else None


def _softmax(inner: ast.expr, call: ast.Call, function: Function) -> ast.Call | None:
    """The softmax that is logged, as it stands or as the one value of the name."""
    if isinstance(inner, ast.Name):
        values = function.assignments(inner.id)
        if len(values) != 1 or inner.id in function.parameters or values[0][0] >= call.lineno:
            return None
        line, made = values[0]
        if not isinstance(made, ast.Call) or made not in function.source.parents:
            return None
        used = {n.id for n in ast.walk(made) if isinstance(n, ast.Name)}
        changed = any(line < other <= call.lineno for name in used for other, _ in function.assignments(name))
        augmented = any(
            isinstance(n, ast.AugAssign) and ast.unparse(n.target) in used | {inner.id} for n in function.own
        )
        if changed or augmented or inner.id in used:
            return None
        if any(isinstance(n, ast.Call) and n is not made for n in ast.walk(made)):
            return None  # not computed twice
        inner = made
    return inner if isinstance(inner, ast.Call) and called_name(inner) in ("softmax", "sigmoid") else None


def _in_one(made: ast.Call, function: Function) -> str:
    source = function.source
    text, func, name = source.segment(made), source.segment(made.func), called_name(made)
    rest = text[len(func) :]
    full = source.full(made.func)
    owner = receiver(made)
    if name == "softmax":
        if full in ("torch.softmax", "torch.nn.functional.softmax"):
            return f"{func[: -len(name)]}log_softmax{rest}" if isinstance(made.func, ast.Attribute) else ""
        is_method = owner is not None and made.args and not full.startswith(("scipy", "numpy", "jax", "tensorflow"))
        is_method = is_method and not (isinstance(owner, ast.Name) and owner.id in source.aliases)
        return f"{func[: -len(name)]}log_softmax{rest}" if is_method else ""
    functional = next((a for a, f in source.aliases.items() if f == "torch.nn.functional"), "")
    functional = functional or ("torch.nn.functional" if source.aliases.get("torch") == "torch" else "")
    if not functional:
        return ""
    if full in ("torch.sigmoid", "torch.nn.functional.sigmoid") and len(made.args) == 1:
        return f"{functional}.logsigmoid({source.segment(made.args[0])})"
    if owner is not None and not made.args and not (isinstance(owner, ast.Name) and owner.id in source.aliases):
        return f"{functional}.logsigmoid({source.segment(owner)})"
    return ""

"""The clipped surrogate of PPO taken from the wrong side.

Why it hurts: the bound is pessimistic only as `min` of the two gains, or `max` of the two losses. The other way round
the clip never binds where it should: updates are as large as without it, and the reward collapses late and without an
error. Source: S (max for min); Schulman et al. 2017, equation 7.

    before                                          after
    s1 = ratio * adv                                s1 = ratio * adv
    s2 = ratio.clamp(1 - c, 1 + c) * adv            s2 = ratio.clamp(1 - c, 1 + c) * adv
    loss = -torch.max(s1, s2).mean()                loss = -torch.min(s1, s2).mean()

Silent: dual clipping, value clipping, and surrogates that are not a ratio times an advantage.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from .found import at
from .signs import own_sign

_OTHER = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
_CLIPS = frozenset("clamp clip".split())


@dataclass(frozen=True, slots=True)
class SurrogateDirection:
    name: str = "surrogate_direction"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                name = called_name(call)
                if name not in _OTHER or not isinstance(call.func, ast.Attribute) or len(call.args) != 2:
                    continue
                signs = [_surrogate(argument, function) for argument in call.args]
                if None in signs or {clipped for _, clipped in signs} != {True, False}:  # type: ignore[misc]
                    continue
                sign = {sign for sign, _ in signs}  # type: ignore[misc]
                wanted = {1: "min", -1: "max"}.get(sign.pop() if len(sign) == 1 else 0, "")
                if wanted and not name.startswith(wanted):
                    yield self._finding(call, name, wanted, function)

    def _finding(self, call: ast.Call, name: str, wanted: str, function: Function) -> Finding:
        text, func = function.source.segment(call), function.source.segment(call.func)
        what = "gains" if wanted == "min" else "losses"
        new = func[: -len(name)] + _OTHER[name] + text[len(func) :]
        why = f"Of two {what} the pessimistic one is the {wanted}: as it is, the clip never binds where it should."
        found = at(
            self.name, function, call, f"Take the {wanted} of the two {what}", why, (function.replace(call, new),)
        )
        return replace(found, confidence="high")


def _surrogate(node: ast.expr, function: Function) -> tuple[int, bool] | None:
    """Sign of `ratio * advantage`, and whether the ratio is clipped; None for anything else."""
    if isinstance(node, ast.Name):
        value = function.last_value(node.id, node.lineno)
        if value is None:
            return None
        node = value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _surrogate(node.operand, function)
        return (-inner[0], inner[1]) if inner is not None else None
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return None
    names = {w for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute) for w in words(ast.unparse(n))}
    if not names & {"adv", "advs", "advantage", "advantages", "gae"}:
        return None
    clipped = any(isinstance(n, ast.Call) and called_name(n) in _CLIPS for n in ast.walk(node))
    if not clipped and not names & {"ratio", "ratios", "exp", "rho", "rt"}:
        clipped = any("clip" in w or "clamp" in w for w in names)
        if not clipped:
            return None
    return own_sign(node), clipped or bool(names & {"clipped", "clamped"})

"""Whether an answer depends on what comes after it: the second half of a sequence is changed, the first half's answers
must stay, and no answer may be NaN."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from .facts import Unsettled, flag, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader

TOLERANCE = 1e-5


def ask(finding: Finding, reader: Reader) -> Ask:
    model = reader.class_of(finding)
    return {"owner": model[0].name, "models": reader.expressions(model), "masks": takes_mask(model[0])}


def takes_mask(model: ast.ClassDef) -> bool:
    """Whether a method of the class is handed a mask, whose polarity then is its caller's."""
    return any(isinstance(node, ast.arg) and "mask" in node.arg for node in ast.walk(model))


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch = subject.torch
    text, model, _ = subject.holder(ask["models"], ask["owner"])
    inputs = subject.inputs(text)
    first = inputs[0]
    model.eval()
    with torch.no_grad():
        before = subject.output(model, inputs)
        if first.dim() < 2 or before.dim() < 3 or before.shape[1] != first.shape[1]:
            raise ValueError("it gives no answer for each place of a sequence")
        half = first.shape[1] // 2
        changed = first.clone()
        changed[:, half:] = torch.roll(changed[:, half:], 1, 0)
        after = subject.output(model, (changed, *inputs[1:]))
    early = (before[:, :half] - after[:, :half]).abs()
    late = (before[:, half:] - after[:, half:]).abs()
    return {"nan": bool(torch.isnan(before).any()), "early": float(early.nan_to_num().max()),
            "late": float(late.nan_to_num().max())}  # fmt: skip


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    if flag(facts, "nan"):
        return "confirmed", "answers are NaN"
    early, late = number(facts, "early"), number(facts, "late")
    if early > TOLERANCE:
        return "confirmed", f"with other tokens in the second half the first half's answers change by up to {early:.2g}"
    if late <= TOLERANCE:
        return "confirmed", "no answer depends on the tokens at all"
    if ask["masks"]:
        raise Unsettled("the first half's answers stay, but another mask may be meant")
    return "refuted", "with other tokens in the second half the first half's answers stay"

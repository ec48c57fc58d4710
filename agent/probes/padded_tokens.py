"""Whether an answer depends on what a mask hides: the last places are masked and their tokens changed; the answers at the
others must stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import flag, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader

TOLERANCE = 1e-5


def ask(finding: Finding, reader: Reader) -> Ask:
    model = reader.class_of(finding)
    return {"owner": model[0].name, "models": reader.expressions(model)}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch = subject.torch
    text, model, _ = subject.holder(ask["models"], ask["owner"])
    inputs = subject.inputs(text)
    first = inputs[0]
    name = subject.mask_name(model)
    hidden = torch.zeros(first.shape[:2], dtype=torch.bool)
    hidden[:, -3:] = True
    changed = first.clone()
    changed[:, -3:] = torch.roll(changed[:, -3:], 1, 0)
    model.eval()
    gaps, nan = [], False
    # Some masks name what is kept, some what is hidden: one of the two meanings must hide it.
    for mask in (hidden, ~hidden):
        with torch.no_grad():
            one, other = (subject.masked(model, (x, *inputs[1:]), name, mask) for x in (first, changed))
        nan = nan or bool(torch.isnan(one).any())
        shown = (slice(None), slice(0, -3)) if one.dim() >= 3 and one.shape[1] == first.shape[1] else ()
        gaps.append(float((one - other)[shown].abs().nan_to_num().max()))
    return {"gap": min(gaps), "nan": nan}


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    gap = number(facts, "gap")
    if gap > TOLERANCE:
        return (
            "confirmed",
            f"with other tokens where the mask hides them, the answers elsewhere change by up to {gap:.2g}",
        )
    if flag(facts, "nan"):
        return "confirmed", "with a mask some answers are NaN"
    return "refuted", "tokens that the mask hides do not change the other answers"

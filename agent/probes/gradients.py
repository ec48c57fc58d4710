"""Which parameters one backward pass reaches, and which parts are called at all.

A part that is never called, or whose parameters have no gradient after a pass through the whole model, does nothing. One
with a gradient that is not zero is used, whatever was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, flag, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader


def ask(finding: Finding, reader: Reader) -> Ask:
    model = reader.class_of(finding)
    return {
        "part": reader.part_of(finding),
        "owner": model[0].name,
        "models": reader.expressions(model),
    }


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    text, model, owner = subject.holder(ask["models"], ask["owner"])
    part = getattr(owner, ask["part"])
    calls = []
    is_module = isinstance(part, subject.torch.nn.Module)
    for module in part.modules() if is_module else ():
        module.register_forward_hook(lambda *_: calls.append(1))
    inputs = subject.inputs(text)
    model.train()
    subject.without_dropout(model)
    output = subject.output(model, inputs)
    # Fixed random weights: the sum of a softmax, or of what a norm centres, has no gradient of its own.
    subject.torch.manual_seed(5)
    (output * subject.torch.randn_like(output)).sum().backward()
    own = list(part.parameters()) if is_module else [part] if isinstance(part, subject.torch.nn.Parameter) else []
    if not own and not is_module:
        raise TypeError("{} is no layer and no parameter".format(ask["part"]))
    reached = [p for p in own if p.grad is not None and bool((p.grad != 0).any())]
    others = [p for p in model.parameters() if p.grad is not None and bool((p.grad != 0).any())]
    frozen = any(not p.requires_grad for p in own)
    return {
        "calls": len(calls),
        "parameters": len(own),
        "reached": len(reached),
        "others": len(others),
        "frozen": frozen,
    }


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    own, reached, calls = (number(facts, name) for name in ("parameters", "reached", "calls"))
    part = ask["part"]
    if reached:
        return (
            "refuted",
            f"{part} is used: {reached:.0f} of its {own:.0f} parameters have a gradient after one backward pass",
        )
    if flag(facts, "frozen"):
        raise Unsettled(f"{part} is frozen, so no gradient tells whether it is used")
    if not own:
        if calls:
            raise Unsettled(f"{part} is called and has no parameters: whether its output is used does not show")
        return "confirmed", f"{part} is never called in a forward pass"
    if not number(facts, "others"):
        raise Unsettled("no parameter of the model has a gradient")
    said = "is never called, and" if not calls else "is called, but"
    return "confirmed", f"{part} {said} none of its {own:.0f} parameters has a gradient after one backward pass"

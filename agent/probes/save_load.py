"""Whether all that the answers depend on is in `state_dict`.

A model is moved by a few training steps, saved, and loaded into another one that was built from another seed. Answers in
evaluation mode that differ depend on something that was not saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import flag, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader


def ask(finding: Finding, reader: Reader) -> Ask:
    model = reader.class_of(finding)
    return {"owner": model[0].name, "models": reader.expressions(model)}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch = subject.torch
    text, model, _ = subject.holder(ask["models"], ask["owner"])
    inputs = subject.inputs(text)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.05) if parameters else None
    for _ in range(3):
        loss = subject.output(model, inputs).square().mean()
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    other = subject.fresh(text, seed=99)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        first, second = (subject.output(one.eval(), inputs) for one in (model, other))
        again = subject.output(model, inputs)
    return {"same": bool(torch.allclose(first, second, atol=1e-6)), "steady": bool(torch.equal(first, again)),
            "gap": float((first - second).abs().max())}  # fmt: skip


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    if flag(facts, "same"):
        return "refuted", "a model loaded from the saved state answers the same"
    if not flag(facts, "steady"):
        return "confirmed", "in evaluation mode the same input gets another answer the second time"
    return "confirmed", f"a model loaded from the saved state answers otherwise, by up to {number(facts, 'gap'):.2g}"

"""Whether one batch can be learnt by heart: sixty steps of Adam on eight examples, without dropout.

Cross entropy of probabilities instead of scores cannot fall below ln(C - 1 + e) - 1 for C classes: a loss below that
floor was given scores, one that stays at it was not. Only said of a model whose own output goes into the loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .facts import Unsettled, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader

STEPS = 60


def ask(finding: Finding, reader: Reader) -> Ask:
    reader.class_of(finding)
    kind = reader.loss_kind(reader.places(finding))
    if kind != "cross_entropy":
        raise Unsettled("a loss with no known floor")
    return {"kind": kind}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch, model = subject.torch, subject.fresh()
    inputs = subject.inputs(count=8)
    model.train()
    subject.without_dropout(model)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    targets, losses = None, []
    for _ in range(STEPS):
        output = subject.output(model, inputs)
        targets = subject.targets(output, inputs, ask["kind"]) if targets is None else targets
        loss = subject.loss(output, targets, inputs, ask["kind"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    classes = subject.classes(output, inputs)
    return {"first": losses[0], "last": min(losses), "classes": classes}


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    classes, last = number(facts, "classes"), number(facts, "last")
    if classes < 2:
        raise Unsettled("one class is no question")
    floor = math.log(classes - 1 + math.e) - 1
    said = f"one batch learnt from {number(facts, 'first'):.2f} (ln C is {math.log(classes):.2f}) to {last:.2f}"
    if last < 0.9 * floor:
        return "refuted", f"{said}, below {floor:.2f}, the floor of a loss of probabilities"
    if last < 1.3 * floor:
        return "confirmed", f"{said}, and not below {floor:.2f}, the floor of a loss of probabilities"
    raise Unsettled(f"{said}: too slow to tell")

"""In which mode a function evaluates: called with a model in training mode, it either sets the other one or does not.

What the model's own forward sees is written down: `training` of the model, whether gradients are recorded. A model that
answers alike in both modes has nothing to switch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, flag, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader


def ask(finding: Finding, reader: Reader) -> Ask:
    if "Evaluate with" not in finding.title:
        raise Unsettled("only evaluation itself is looked at, not the training that follows it")
    return {"code": reader.function_code(finding), "mode": "eval()" in finding.title,
            "grad": "no_grad" in finding.title}  # fmt: skip


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch, model = subject.torch, subject.fresh()
    inputs = subject.inputs()
    with torch.no_grad():
        model.eval()
        plain = [subject.output(model, inputs, seed) for seed in (1, 1)]
        model.train()
        moved = [subject.output(model, inputs, seed) for seed in (1, 2)]
    matters = not all(torch.equal(plain[0], other) for other in moved)
    model, seen = subject.fresh().train(), []
    model.register_forward_pre_hook(lambda m, _: seen.append((m.training, torch.is_grad_enabled())))
    subject.call(ask["code"], model, subject.examples(plain[0], inputs), 2)
    return {"calls": len(seen), "training": sum(mode for mode, _ in seen), "grad": sum(grad for _, grad in seen),
            "matters": matters, "steady": torch.equal(plain[0], plain[1])}  # fmt: skip


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    calls, training, grad = (number(facts, name) for name in ("calls", "training", "grad"))
    if not calls:
        raise Unsettled("the model was not called")
    if not ask["mode"]:
        return ("confirmed", "gradients are recorded") if grad else ("refuted", "no gradients are recorded")
    if ask["grad"] and grad and not (training and flag(facts, "matters")):
        raise Unsettled("the mode is right or does not matter, but gradients are recorded")
    if not training:
        return "refuted", "the function itself puts the model into evaluation mode"
    if not flag(facts, "matters"):
        return "refuted", "the model answers the same in training mode, bit for bit"
    return (
        "confirmed",
        f"the model was in training mode in {training:.0f} of {calls:.0f} calls, and answers otherwise in it",
    )

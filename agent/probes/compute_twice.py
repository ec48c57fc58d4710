"""Whether a forward pass leaves things as they were: the same input twice gives the same answer, and stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, flag

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader


def ask(finding: Finding, reader: Reader) -> Ask:
    model = reader.class_of(finding)
    method = finding.symbol.rpartition(".")[2]
    return {"owner": model[0].name, "models": reader.expressions(model), "method": method}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch = subject.torch
    text, model, owner = subject.holder(ask["models"], ask["owner"])
    inputs, kept = subject.inputs(text), subject.inputs(text)
    reached: list[int] = []
    given: list[tuple[Any, Any]] = []
    owner.register_forward_pre_hook(lambda _m, args: given.extend((a, a.clone()) for a in args if torch.is_tensor(a)))
    owner.register_forward_hook(lambda *_: reached.append(1))
    model.eval()
    with torch.no_grad():
        first = subject.output(model, inputs).clone()
        changed = any(not torch.equal(a.detach(), b.detach()) for a, b in given)
        changed = changed or any(
            not torch.equal(a, b) for a, b in zip(inputs, kept, strict=False) if torch.is_tensor(a)
        )
        # Another seed: what still draws random numbers in evaluation mode shows.
        second = subject.output(model, kept, seed=2)
    return {"same": bool(torch.equal(first, second)), "changed": changed, "reached": bool(reached)}


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    if not flag(facts, "same"):
        return "confirmed", "in evaluation mode the same input gets another answer the second time"
    if flag(facts, "changed"):
        return "confirmed", f"the forward pass changes what {ask['owner']} is given"
    if ask["method"] != "forward" or not flag(facts, "reached"):
        raise Unsettled(
            f"forward passes leave everything as it was, but whether {ask['method']} was called does not show"
        )
    return "refuted", "the same input gets the same answer twice, and stays as it was"

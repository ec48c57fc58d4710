"""Whether gradients are there already when they are computed, and there at all when they are used.

Three batches of the target's own training loop. Before each backward pass that follows a step the gradients are looked
at: what is left over was not cleared. At each step they are looked at again: a step that finds none moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader

EARLY = "step_before_backward"
CUT = "graph_cut"


def ask(finding: Finding, reader: Reader) -> Ask:
    return {"code": reader.training(finding), "detector": finding.detector}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    tape = subject.rehearse(ask["code"])
    left = tape["left_over"]
    if "does not require grad" in tape["error"] and not tape["steps"]:
        return {"seen": 0, "left": 0, "steps": 1, "without": 1, "first": "backward"}
    if not tape["steps"]:
        raise ValueError(tape["error"] or "the loop made no step")
    return {"seen": len(left), "left": sum(left), "steps": tape["steps"], "without": tape["steps_without"],
            "first": tape["events"][0]}  # fmt: skip


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    seen, left, steps, without = (number(facts, name) for name in ("seen", "left", "steps", "without"))
    if ask["detector"] == EARLY:
        if without or facts.get("first") == "step":
            return "confirmed", f"{without:.0f} of {steps:.0f} steps found no gradient"
        return "refuted", f"each of {steps:.0f} steps found the gradients of a backward pass before it"
    if ask["detector"] == CUT:
        if without == steps:
            return "confirmed", f"none of {steps:.0f} steps found a gradient"
        raise Unsettled("gradients reach the model, whether from the term in question does not show")
    if not seen:
        raise Unsettled("no second backward pass was reached")
    if left == seen:
        return (
            "confirmed",
            f"after a step the old gradients were still there at {left:.0f} of {seen:.0f} backward passes",
        )
    if not left:
        return "refuted", f"gradients were cleared before each of {seen:.0f} backward passes after a step"
    raise Unsettled(f"gradients were left over at {left:.0f} of {seen:.0f} backward passes")

"""Whether the labels matter: two models from one seed go through the training loop, one of them with the labels moved by
one example. Equal weights afterwards mean that no label was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, flag

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader


CUT = "graph_cut"


def ask(finding: Finding, reader: Reader) -> Ask:
    return {"detector": finding.detector, "code": reader.training_at(reader.places(finding))}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    one, other = (subject.trained(ask["code"], shift) for shift in (0, 1))
    before = subject.fresh().state_dict()
    same = all(subject.torch.equal(one[name], other[name]) for name in one)
    return {"same": same, "learnt": any(not subject.torch.equal(one[name], before[name]) for name in one)}


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    if not flag(facts, "learnt"):
        return "confirmed", "the training loop changes no weight"
    if flag(facts, "same"):
        return "confirmed", "with other labels the loop ends in the same weights, bit for bit"
    if ask["detector"] == CUT:
        raise Unsettled("labels reach the weights, whether by the term in question does not show")
    return "refuted", "with other labels the loop ends in other weights"

"""What the loss is given before anything was learnt: rows that are distributions already, or raw scores.

Three batches of the target's own training loop run on made-up data, and every call of a loss of torch is looked at: a row
that lies in [0, 1] and sums to 1 came out of a softmax, one whose log-sum-exp is 0 out of a log_softmax, whatever the
weights are. The loss a model starts at, ln C for C classes, is told with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader

ENDINGS = ("log_softmax", "softmax", "sigmoid")


def ask(finding: Finding, reader: Reader) -> Ask:
    places = reader.places(finding)
    kind = reader.loss_kind(places)
    claimed = next((word for word in ENDINGS if word in finding.title), "")
    return {"code": reader.training_at(places), "kind": kind, "claimed": claimed}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    tape = subject.rehearse(ask["code"])
    facts = {"calls": 0, "error": tape["error"], **tape["losses"].get(ask["kind"], {})}
    if tape["losses"].get(ask["kind"]):
        facts.pop("error")
        facts["raised"] = tape["error"]
    elif "between 0 and 1" in tape["error"]:
        facts = {"calls": 1, "within": 0, "raised": tape["error"]}
    return facts


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    calls, kind, claimed = number(facts, "calls"), ask["kind"], ask["claimed"]
    if calls < 1:
        raise Unsettled("the loss was not reached in three batches")
    if kind == "nll":
        return _told("log_distributions", facts, "rows are logarithms of distributions", defect=False)
    if kind == "bce":
        return _told("within", facts, "scores lie in [0, 1]", defect=False)
    if kind == "cross_entropy" and claimed == "log_softmax":
        return _told("log_distributions", facts, "rows are logarithms of distributions", defect=True)
    if kind == "cross_entropy" and claimed == "softmax":
        return _told("distributions", facts, "rows are distributions already", defect=True)
    if claimed == "sigmoid":
        return _told("within", facts, "scores lie in [0, 1] already", defect=True)
    raise Unsettled("what the loss is given does not tell")


def _told(name: str, facts: Facts, words: str, *, defect: bool) -> tuple[Settled, str]:
    """Settled when all calls had the property, or none. `defect`: whether having it is what the finding says."""
    share = number(facts, name) / number(facts, "calls")
    if 0 < share < 1:
        raise Unsettled(f"in some calls of the loss {words}, in others not")
    said = f"in the loss's input {words}" if share else f"that {words} is not so in the loss's input"
    return ("confirmed" if bool(share) is defect else "refuted"), said

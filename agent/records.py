"""Proposals as the rows the ledger keeps of them, and back."""

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..evals.trial import Arm, ProposalRecord
from ..targets.tunable import Tunable, Value
from .prompt_blocks import one_line, printable
from .proposal import Edit, Evidence, Kind, Proposal


def record_id(arm: Arm, proposal: Proposal) -> str:
    """The same idea in another arm is another row."""
    return hashlib.sha256(f"{arm}:{proposal.id}".encode()).hexdigest()[:12]


def to_record(run_id: str, arm: Arm, proposal: Proposal) -> ProposalRecord:
    return ProposalRecord(
        id=record_id(arm, proposal),
        run_id=run_id,
        arm=arm,
        kind=proposal.kind,
        claimed_kind=proposal.kind,
        # From here they go into commit messages as well, which others print.
        title=one_line(proposal.title)[:200],
        rationale=printable(proposal.rationale)[:4000],
        evidence=tuple((e.file, e.line, e.note) for e in proposal.evidence),
        edits=tuple(_plain(edit) for edit in proposal.edits),
        proposer=proposal.proposer,
        parent=proposal.parent,
        commit=None,
        diff="",
        outcome="proposed",
    )


def edits_of(record: ProposalRecord) -> tuple[Edit, ...]:
    return tuple(_edit(body) for body in record.edits)


def to_proposal(record: ProposalRecord) -> Proposal:
    kinds: dict[str, Kind] = {k: k for k in ("bug_fix", "architecture", "prompt", "data", "hyperparameter")}
    return Proposal(
        kind=kinds[record.claimed_kind],
        title=record.title,
        rationale=record.rationale,
        edits=edits_of(record),
        evidence=tuple(Evidence(*e) for e in record.evidence),
        proposer=record.proposer,
        parent=record.parent,
    )


def to_body(proposal: Proposal) -> dict[str, Any]:
    """The proposal as JSON values."""
    return asdict(proposal)


def of_body(body: Mapping[str, Any]) -> Proposal:
    edits, evidence = map(_edit, body["edits"]), (Evidence(**entry) for entry in body["evidence"])
    return Proposal(**{**body, "edits": tuple(edits), "evidence": tuple(evidence)})


def settings_edits(params: Mapping[str, Value], space: Mapping[str, Tunable]) -> tuple[Edit, ...]:
    """Edits that write a tuner's values into the code; a value the code already has needs none."""
    edits = []
    for name, value in sorted(params.items()):
        tunable = space[name]
        if value == tunable.default and type(value) is type(tunable.default):
            continue
        operator = "set_literal" if tunable.file.endswith(".py") else "set_config_value"
        edits.append(Edit(operator, tunable.file, name.partition("::")[2], {"value": repr(value)}))
    return tuple(edits)


def params_of(record: ProposalRecord) -> dict[str, Value]:
    """The tuner's values a record's edits write, by tunable name; empty for an edit of another kind."""
    setters = ("set_literal", "set_config_value")
    found = [edit for edit in edits_of(record) if edit.operator in setters]
    return {f"{edit.file}::{edit.symbol}": ast.literal_eval(edit.arguments["value"]) for edit in found}


def _plain(edit: Edit) -> dict[str, object]:
    return {"operator": edit.operator, "file": edit.file, "symbol": edit.symbol, "arguments": dict(edit.arguments)}


def _edit(body: Mapping[str, Any]) -> Edit:
    return Edit(body["operator"], body["file"], body["symbol"], dict(body["arguments"]))

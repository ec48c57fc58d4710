"""The ideas a winner consists of: the proposals on the way to it, those made of several ideas taken apart."""

from collections.abc import Sequence
from dataclasses import replace

from ...evals.trial import ProposalRecord
from ...targets.errors import OperatorError
from ..checks.kind import prove_kind
from ..lab import Lab
from ..operators.apply import apply_edits
from ..records import edits_of, to_proposal, to_record
from .ideas import proposals_for


def chain(lab: Lab, commit: str) -> tuple[ProposalRecord, ...]:
    """The proposals that lead from the base to a commit, each of which changed something, in the order they were applied."""
    by_commit = {row.commit: row for row in reversed(lab.journal.proposals()) if row.commit and row.edits}
    rows: list[ProposalRecord] = []
    while commit != lab.checkout.base and commit in by_commit:
        rows.insert(0, by_commit[commit])
        commit = rows[0].parent
    return tuple(rows)


def steps(lab: Lab, commit: str) -> tuple[ProposalRecord, ...]:
    """The same, with the smaller ideas in the place of a proposal that was made of several."""
    return tuple(step for row in chain(lab, commit) for step in _apart(lab, row))


def _apart(lab: Lab, row: ProposalRecord) -> list[ProposalRecord]:
    ideas = [
        to_record(lab.run_id, "edits", p) for p in proposals_for(lab, lab.checkout.base) if p.kind != "hyperparameter"
    ]
    known = {idea.id: idea for idea in [*ideas, *lab.journal.proposals("edits")]}  # the ledger's row has its commit
    left = list(edits_of(row))
    found: list[tuple[int, ProposalRecord]] = []
    for idea in sorted(known.values(), key=lambda idea: len(idea.edits)):
        edits = edits_of(idea)
        if edits and len(edits) < len(row.edits) and all(edit in left for edit in edits):
            found.append((edits_of(row).index(edits[0]), idea))
            left = [edit for edit in left if edit not in edits]
    if not found or left:  # a part that nobody proposed alone has no name and no reason of its own
        return [row]
    steps = [_proved(lab, step) for _, step in sorted(found, key=lambda pair: pair[0])]
    return steps if _comes_to_the_same(lab, row, steps) else [row]


def _comes_to_the_same(lab: Lab, row: ProposalRecord, steps: Sequence[ProposalRecord]) -> bool:
    """Whether the ideas, one after the other, make what the whole makes: the edits of two may stand between each other."""
    sources = lab.code(row.parent).sources
    try:
        one_by_one = apply_edits(sources, [edit for step in steps for edit in edits_of(step)])
        return one_by_one == apply_edits(sources, edits_of(row))
    except OperatorError:
        return False


def _proved(lab: Lab, step: ProposalRecord) -> ProposalRecord:
    """With the kind its edits have on the untouched code; the checks never saw an idea that was only tried with others."""
    if step.commit:
        return step
    sources = lab.code(lab.checkout.base).sources
    try:
        after = apply_edits(sources, edits_of(step))
    except OperatorError:
        return step
    return replace(step, kind=prove_kind({f: sources.get(f) for f in after}, dict(after), to_proposal(step).kind))

"""The edits arm: what to try next, and on which commit."""

from dataclasses import replace
from typing import Any

from ...evals.trial import ProposalRecord
from ...targets.errors import ModelBudgetError
from ..events import Note
from ..lab import Lab
from ..policy import mean_score
from ..proposal import Edit, Kind, Proposal
from ..proposers.base import Proposer
from ..proposers.defects import DefectsProposer
from ..records import edits_of, of_body, record_id, to_body
from .arms import record, unchecked, winner_commit
from .probing import refuted
from .state import IDLE, State

MODEL_IDEAS = 4
"""Edits a language model is asked for at a time: few, so that it sees what came of them."""


def propose(lab: Lab, _state: State) -> State:
    """The next untried edit of the code to build on; an empty state when there is none left."""
    if left := unchecked(lab, "edits"):
        return State(proposal=left, finished="")
    parent = edit_parent(lab)
    untried = _untried(lab, parent)
    if not untried and lab.modelled:
        untried = _modelled(lab, lab.modelled, parent)
    if not untried:
        lab.exhausted.add(parent)
        return IDLE
    return record(lab, "edits", untried[0])


def merge(lab: Lab, _state: State) -> State:
    """An edit that was kept on an older commit, applied to the best one."""
    if left := unchecked(lab, "edits"):
        return State(proposal=left, finished="")
    return record(lab, "edits", mergeable(lab)[0])


def edit_parent(lab: Lab) -> str:
    """The commit to build on: the base until every defect found in it was tried alone, then the best so far, and the
    base again when nothing is left to try on that."""
    base, top = lab.checkout.base, winner_commit(lab, "edits")
    if any(p.kind == "bug_fix" for p in _untried(lab, base)):
        return base
    return base if top in lab.exhausted and _untried(lab, base) else top


def edits_exhausted(lab: Lab) -> bool:
    return edit_parent(lab) in lab.exhausted and not mergeable(lab)


def mergeable(lab: Lab) -> list[Proposal]:
    """Kept edits that the best commit does not hold yet, best first, as proposals on top of it."""
    top = winner_commit(lab, "edits")
    if top == lab.checkout.base:
        return []
    held = _edits_up_to(lab, top)
    kept = [t for t in lab.journal.trials("edits", "search") if t.decision == "keep" and t.proposal_id]
    kept.sort(key=lambda t: mean_score(t) or 0.0, reverse=lab.target.metric.direction == "maximize")
    merges = []
    for trial in kept:
        row = lab.journal.proposal(trial.proposal_id or "")
        missing = tuple(edit for edit in edits_of(row) if edit not in held)
        if row.parent == top or not missing:
            continue
        proposal = Proposal(_kind(row), row.title, row.rationale, missing, proposer="merge", parent=top)
        if _is_new(lab, proposal):
            merges.append(proposal)
    return merges


def _modelled(lab: Lab, proposer: Proposer, parent: str) -> list[Proposal]:
    """What the language model has for this commit; nothing once its dollars are spent."""
    history, tried = lab.journal.trials("edits", "search"), lab.journal.proposals("edits")
    try:
        found = proposer.propose(lab.code(parent), history, tried, limit=MODEL_IDEAS)
    except ModelBudgetError as error:
        lab.say(Note(str(error), "warning"))
        return []
    fresh = [proposal for proposal in found if _is_new(lab, proposal)]
    lab.ideas[parent] += fresh
    lab.journal.keep_answer(lab.refused, {**_kept(lab), parent: [*_kept(lab).get(parent, ()), *map(to_body, fresh)]})
    lab.refused.clear()
    return fresh


def _kept(lab: Lab) -> dict[str, list[dict[str, Any]]]:
    """What language models proposed so far, by the commit it was meant for: ideas wait their turn over a resume too."""
    ideas: dict[str, list[dict[str, Any]]] = lab.journal.ledger.run(lab.run_id).settings.get("model_ideas", {})
    return ideas


def _untried(lab: Lab, parent: str) -> list[Proposal]:
    """What the proposers that need no model have left for this commit, in their order."""
    return [p for p in proposals_for(lab, parent) if _is_new(lab, p)]


def proposals_for(lab: Lab, parent: str) -> list[Proposal]:
    """All they have for this commit, tried or not, and what a language model had."""
    if parent not in lab.ideas:
        history, tried = lab.journal.trials("edits", "search"), lab.journal.proposals("edits")
        for source in lab.structured:
            if isinstance(source, DefectsProposer):
                source.refuted = refuted(lab)
        found = [p for source in lab.structured for p in source.propose(lab.code(parent), history, tried, limit=200)]
        recalled = map(of_body, _kept(lab).get(parent, ()))
        lab.ideas[parent] = [*(replace(p, parent=parent) for p in found), *recalled]
    return lab.ideas[parent]


def _is_new(lab: Lab, proposal: Proposal) -> bool:
    return not lab.journal.has_proposal(record_id("edits", proposal))


def _edits_up_to(lab: Lab, commit: str) -> list[Edit]:
    """Every edit between the base and a commit of the edits arm."""
    by_commit = {r.commit: r for r in reversed(lab.journal.proposals()) if r.commit}
    edits: list[Edit] = []
    while commit != lab.checkout.base and commit in by_commit:
        edits += edits_of(by_commit[commit])
        commit = by_commit[commit].parent
    return edits


def _kind(row: ProposalRecord) -> Kind:
    kinds: tuple[Kind, ...] = ("bug_fix", "architecture", "prompt", "data")
    return next((kind for kind in kinds if kind == row.kind), "bug_fix")

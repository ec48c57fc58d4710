"""A proposal on its way to a commit: applied, checked, written."""

from ...evals.trial import Arm, ProposalRecord
from ...targets.errors import OperatorError
from ..checks import CHECKS
from ..checks.base import Change
from ..checks.kind import prove_kind
from ..events import ProposalRefused
from ..lab import Lab
from ..operators.apply import apply_edits
from ..proposal import Kind
from ..records import edits_of, to_proposal
from .state import IDLE, State


def check(lab: Lab, state: State) -> State:
    """Applies the edits in memory and asks the cheap questions; a refusal is a row and costs no compute."""
    if not state["proposal"]:
        return IDLE
    row = lab.journal.proposal(state["proposal"])
    edits = edits_of(row)
    if not edits:
        return state  # the code's own settings: nothing to check
    before = lab.code(row.parent).sources
    try:
        after = apply_edits(before, edits)
    except OperatorError as error:
        return _refuse(lab, row.id, f"operator: {error}")
    change = Change({f: before.get(f) for f in after}, dict(after), {**before, **after})
    for question in CHECKS.values():
        verdict = question.judge(lab.target, change)
        if not verdict.passed:
            return _refuse(lab, row.id, f"refused: {question.name}: {verdict.reason}")
    kind = prove_kind(change.before, change.after, to_proposal(row).kind)
    lab.journal.update(row.id, kind=kind, arm=_credited(lab, row, kind))
    lab.changes[row.id] = after
    return state


def branch(lab: Lab, state: State) -> State:
    """Commits the change under a hidden ref, where it stays reachable whatever comes of it."""
    row = lab.journal.proposal(state["proposal"])
    if row.outcome == "branched":
        return state
    edits = edits_of(row)
    if not edits:
        lab.journal.update(row.id, commit=row.parent, outcome="branched")
        return state
    changes = lab.changes.pop(row.id, None) or apply_edits(lab.code(row.parent).sources, edits)
    message = f"{row.title}\n\n{row.rationale}\n\nKind: {row.kind}\nProposed-by: {row.proposer}\n"
    commit = lab.checkout.commit(row.parent, changes, message, f"refs/branchlab/{lab.run_id}/{row.id}")
    lab.journal.update(row.id, commit=commit, diff=lab.checkout.diff(row.parent, commit), outcome="branched")
    return state


def _credited(lab: Lab, row: ProposalRecord, kind: Kind) -> Arm:
    """The arm that pays for the trial and may win by it. Literals that moved are tuning, whoever moved them: the tuner's
    in the untouched code, and in code that was edited before, what edits and tuning come to together."""
    if kind != "hyperparameter" or row.arm != "edits":
        return row.arm
    arm: Arm = "tuner" if row.parent == lab.checkout.base else "edits+tuner"
    return arm if arm in lab.options.arms else row.arm


def _refuse(lab: Lab, proposal_id: str, outcome: str) -> State:
    row = lab.journal.update(proposal_id, outcome=outcome)
    lab.say(ProposalRefused(row.arm, row.title, outcome))
    return IDLE

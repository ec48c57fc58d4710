"""What each arm has come to so far, and its next proposal written down."""

from ...evals.trial import Arm, Trial
from ..events import ProposalMade
from ..lab import Lab
from ..policy import best
from ..proposal import Proposal
from ..records import to_record
from .state import State


def winner(lab: Lab, arm: Arm) -> Trial | None:
    """The arm's best kept trial on the search split; None when nothing beat the code it started from."""
    trials = lab.journal.trials(arm, "search")
    return best(trials, lab.target.metric.direction, len(lab.target.seeds.search))


def winner_commit(lab: Lab, arm: Arm) -> str:
    found = winner(lab, arm)
    return found.commit if found else lab.checkout.base


def tuned_parent(lab: Lab) -> str | None:
    """The edited commit that `edits+tuner` tunes, once it has begun."""
    asked = (row for row in lab.journal.proposals("edits+tuner") if row.proposer == lab.tuner_of("edits+tuner"))
    return next((row.parent for row in asked), None)


def unchecked(lab: Lab, arm: Arm) -> str:
    """Id of a proposal that a stop left between its row and its check; empty when there is none."""
    return next((row.id for row in lab.journal.proposals(arm) if row.outcome == "proposed"), "")


def record(lab: Lab, arm: Arm, proposal: Proposal) -> State:
    row = to_record(lab.run_id, arm, proposal)
    lab.journal.propose(row)
    if arm == "edits":  # a tuner's settings are told once, as the trial that tries them
        lab.say(ProposalMade(arm, row.title, row.kind, row.proposer))
    return State(proposal=row.id, finished="")

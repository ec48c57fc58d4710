"""The `rerun` arm: the untouched code on fresh seeds, again and again. Its best is what choosing alone would have gained."""

import hashlib
from dataclasses import replace
from itertools import count, islice

from ...evals.trial import ProposalRecord
from ..lab import Lab
from ..proposal import Proposal
from ..records import to_record
from .arms import unchecked
from .state import State

FIRST_SEED = 2_000_000
"""Above those that calibration takes to make up its number."""


def rerun(lab: Lab, _state: State) -> State:
    """The next run of the untouched code, as a proposal that changes nothing."""
    if left := unchecked(lab, "rerun"):
        return State(proposal=left, finished="")
    number = len(lab.journal.proposals("rerun")) + 1
    proposal = Proposal(
        kind="hyperparameter",
        title=f"Rerun {number} of the untouched code",
        rationale="Fresh seeds and nothing else: what luck alone gains.",
        edits=(),
        proposer="rerun",
        parent=lab.checkout.base,
    )
    # A proposal is known by what it changes, and these all change nothing: each is known by its number.
    name = hashlib.sha256(f"rerun:{number}:{proposal.parent}".encode()).hexdigest()[:12]
    lab.journal.propose(replace(to_record(lab.run_id, "rerun", proposal), id=name))
    return State(proposal=name, finished="")


def seeds_of(lab: Lab, row: ProposalRecord) -> tuple[int, ...]:
    """As many seeds as any search trial has: each rerun its own, none that another phase uses, the same after a resume."""
    number = [other.id for other in lab.journal.proposals("rerun")].index(row.id)
    size = len(lab.target.seeds.search)
    taken = {*lab.target.seeds.search, *lab.target.seeds.confirm}
    begin = FIRST_SEED + 1_000_000 * lab.options.seed
    fresh = (seed for seed in count(begin) if seed not in taken)
    return tuple(islice(fresh, number * size, (number + 1) * size))

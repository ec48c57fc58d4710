"""The tuning arms: the next settings, written into the code, and what came of the last ones."""

from dataclasses import replace

from ...evals.rungs import TAKEN_OVER
from ...evals.trial import Trial
from ..events import Note
from ..lab import TUNING_ARMS, Lab
from ..proposal import Edit, Proposal
from ..records import record_id, settings_edits
from .arms import record, tuned_parent, unchecked, winner_commit
from .state import IDLE, State
from .turns import turn

REPEATS_BEFORE_EXHAUSTED = 25
"""A tuner that asks for known settings this often in a row has seen its whole space."""


def tune(lab: Lab, _state: State) -> State:
    """The next settings of the tuner whose turn it is, as an edit of the code it tunes."""
    # Among the tuners: a resumed run is here although it knows no longer that the edits have come to their end.
    arm = turn(lab, TUNING_ARMS) or "tuner"
    if left := unchecked(lab, arm):
        return State(proposal=left, finished="")
    parent = lab.checkout.base if arm != "edits+tuner" else tuned_parent(lab) or _take_edits_over(lab)
    space = lab.space(parent)
    tuner = lab.tuner(arm, parent)
    for _ in range(REPEATS_BEFORE_EXHAUSTED if space else 0):
        edits = settings_edits(tuner.ask(), space)
        proposal = Proposal(
            kind="hyperparameter",
            title=_title(edits),
            rationale=f"Asked for by the tuner ({tuner.name}).",
            edits=edits,
            proposer=tuner.name,
            parent=parent,
        )
        if not lab.journal.has_proposal(record_id(arm, proposal)):
            return record(lab, arm, proposal)
    lab.exhausted.add(arm)
    lab.say(Note(f"{arm}: nothing left to try in the search space" if space else f"{arm}: no tunables in this code"))
    return IDLE


def tell(lab: Lab, trial: Trial) -> None:
    """Tells the tuner that asked for a trial what came of it; other trials are not its business."""
    if trial.arm in TUNING_ARMS and trial.proposal_id and trial.phase == "search":
        row = lab.journal.proposal(trial.proposal_id)
        if row.proposer == lab.tuner_of(trial.arm):
            lab.tell(trial, row.parent)


def _take_edits_over(lab: Lab) -> str:
    """Books the edits arm's trials on `edits+tuner` too, at the same price; returns the commit to tune."""
    for trial in lab.journal.trials("edits", "search"):
        copied = replace(
            trial, id=f"{trial.id}{TAKEN_OVER}", arm="edits+tuner", taken_from=trial.taken_from or trial.id
        )
        if not lab.journal.trial(copied.id):
            lab.journal.add(copied)
    return winner_commit(lab, "edits")


def _title(edits: tuple[Edit, ...]) -> str:
    words = [f"{edit.symbol.rpartition('.')[2]}={edit.arguments['value'][:8]}" for edit in edits]
    title = "Set " + ", ".join(words) if words else "The code's own settings"
    return title if len(title) <= 72 else f"{title[:71]}…"

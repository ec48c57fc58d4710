"""Trials handed to the device slots, and what came of them."""

from functools import partial

from ...evals.naming import trial_title
from ...evals.tuners import TUNERS
from ..attempt import Attempt, perform
from ..events import BudgetUsed, TrialFinished, TrialStarted
from ..lab import Lab
from ..policy import mean_score
from ..records import params_of
from .arms import winner
from .rerunning import seeds_of
from .state import State
from .tuning import tell


def run(lab: Lab, state: State) -> State:
    """Hands the proposal to a slot; waits for a trial to end when the slots are full or there is no proposal."""
    proposal = state["proposal"]
    if proposal and proposal not in lab.orphans:  # after a resume it can be on its way and an orphan too
        lab.orphans.append(proposal)
    if lab.orphans and not lab.slots.full:
        _submit(lab, lab.orphans.pop(0))  # in the order in which they came: what waits is older than what arrives
        if not lab.slots.full:
            return State(proposal="", finished="")
    trial = lab.wait()
    lab.started.pop(trial.id, None)
    return State(proposal="", finished=trial.id)


def judge(lab: Lab, state: State) -> State:
    """Keep, discard or crash was decided as the trial ended; here the tuner and the user hear of it."""
    trial = lab.journal.trial(state["finished"])
    if trial is None:  # a stop fell between the wait and its row: the orphan is run again
        return State(proposal="", finished="")
    tell(lab, trial)
    if trial.arm == "rerun":
        lab.plan = None  # one run more says what runs cost
    names = {row.id: row for row in lab.journal.proposals()}
    top = winner(lab, trial.arm)
    lab.say(
        TrialFinished(
            trial_id=trial.id,
            arm=trial.arm,
            title=trial_title(trial, names),
            score=mean_score(trial),
            best=mean_score(top) if top else None,
            decision=trial.decision,
            reason=next((v.reason for v in trial.verdicts if not v.passed), ""),
            device_seconds=trial.device_seconds,
        )
    )
    lab.say(BudgetUsed(trial.arm, lab.journal.charged("search").get(trial.arm, 0.0), lab.the_plan.share))
    return State(proposal="", finished="")


def _submit(lab: Lab, proposal_id: str) -> None:
    row = lab.journal.proposal(proposal_id)
    asked = row.proposer in TUNERS
    attempt = Attempt(
        arm=row.arm,
        phase="search",
        commit=row.commit or row.parent,
        parent=row.parent,
        seeds=seeds_of(lab, row) if row.arm == "rerun" else lab.target.seeds.search,
        proposal_id=row.id,
        params=tuple(sorted(params_of(row).items())) if asked else (),
    )
    trial_id = attempt.id(lab.run_id)
    lab.started[trial_id] = row.arm
    lab.say(TrialStarted(trial_id, row.arm, row.title))
    lab.slots.submit(partial(perform, lab, attempt))

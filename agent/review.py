"""Judges one branch against its base: its claim's facts, the checks, then paired runs on the confirm seeds.

A branch passes when its gain is accepted (`evals/acceptance.py`) and, if the message of its tip claims an effect, that claim holds too
(`evals/recheck.py` defines both). The seeds are the target's own, never the claim's: whoever makes a claim could choose
seeds that flatter it.
"""

from collections.abc import Sequence
from functools import partial

from ..evals.claim import Claim
from ..evals.compare import compare
from ..evals.recheck import same_facts
from ..evals.report import write_report
from ..evals.reviewed import Reviewed, reviewed, to_settings
from ..evals.standings import family_of
from ..evals.trial import Arm, Verdict
from .attempt import Attempt, perform
from .checks import CHECKS
from .events import Note, PhaseChanged, ProposalRefused, RunFinished
from .lab import Lab
from .nodes.reading import explain_no_score
from .proposers.branch import BranchCandidate, candidate_of
from .records import to_record


def review(lab: Lab, branch: str, base: str) -> Reviewed:
    """The verdict on `branch`, every run of it a row of the ledger.

    Raises:
        UsageError: no such branch, nothing changed, not a descendant of `base`, or a claim that is malformed.
        TargetError: the base itself gives no score.
    """
    found = candidate_of(lab.checkout, base, branch)
    row = to_record(lab.run_id, "review", found.candidate.proposal)
    lab.journal.propose(row)
    verdicts = _asked(lab, found, base)
    refused = next((v for v in verdicts if not v.passed), None)
    outcome = f"refused: {refused.gate}: {refused.reason}" if refused else "branched"
    commit, diff = found.candidate.commit, found.candidate.diff
    lab.journal.update(row.id, commit=commit, diff=diff, kind=found.candidate.kind, outcome=outcome, branch=branch)
    settings = to_settings(branch, commit, base, found.claim, verdicts)
    lab.journal.ledger.update_settings(lab.run_id, review=settings)
    if refused:
        lab.say(ProposalRefused("review", row.title, outcome))
    else:
        _run(lab, commit, base, row.id)
    return _finish(lab)


def _asked(lab: Lab, found: BranchCandidate, base: str) -> tuple[Verdict, ...]:
    """Every question that needs no run."""
    checks = tuple(check.judge(lab.target, found.change) for check in CHECKS.values())
    if found.claim is None:
        return checks
    metric, tree = lab.target.metric, lab.checkout.tree_id(found.candidate.commit)
    truth = Claim(lab.target.name, base, tree, metric.name, metric.direction)
    return (*same_facts(found.claim, truth), *checks)


def _run(lab: Lab, commit: str, base: str, proposal_id: str) -> None:
    """Base and branch on each confirm seed, one after the other, so that both meet the same minutes; no more seeds than the
    sequential test needs."""
    lab.say(PhaseChanged("judging on fresh seeds"))
    planned, ledger = lab.target.seeds.confirm, lab.journal.ledger
    ledger.update_settings(lab.run_id, acceptance=family_of({"review": commit}, base, planned))
    at_once = max(1, lab.options.jobs // 2)
    for first in range(0, len(planned), at_once):
        _run_seeds(lab, planned[first : first + at_once], commit, base, proposal_id)
        arm = compare(ledger, lab.run_id).arm("review")
        lab.say(Note(f"{min(first + at_once, len(planned))} of at most {len(planned)} seeds"))
        if arm and arm.standing and arm.standing.state != "undecided":
            return


def _run_seeds(lab: Lab, seeds: Sequence[int], commit: str, base: str, proposal_id: str) -> None:
    sides: tuple[tuple[Arm, str, str | None], ...] = (("baseline", base, None), ("review", commit, proposal_id))
    attempts = [
        Attempt(arm, "confirm", side, base, (seed,), proposal) for seed in seeds for arm, side, proposal in sides
    ]
    for attempt in attempts:
        lab.slots.submit(partial(perform, lab, attempt))
    for _ in attempts:
        trial = lab.wait()
        if trial.arm == "baseline":
            explain_no_score(lab, trial)


def _finish(lab: Lab) -> Reviewed:
    ledger = lab.journal.ledger
    result = reviewed(ledger, lab.run_id)
    ledger.set_status(lab.run_id, "done", result.sentence)
    written = write_report(ledger, lab.run_id, lab.folder)
    where = (str(written.html), str(written.markdown))
    lab.say(RunFinished(lab.run_id, "done", result.sentence, where, ledger=ledger.where))
    return result

"""After the search: fresh seeds decide, the sealed split is opened once, branches and report are handed over."""

import re
from functools import partial

from ...evals.compare import compare
from ...evals.report import write_report
from ...evals.trial import Arm, Phase, ProposalRecord
from ...targets.errors import TargetError
from ..attempt import Attempt, perform
from ..events import Note, PhaseChanged, Promoted, RunFinished
from ..lab import Lab
from ..records import edits_of
from .arms import winner_commit
from .state import IDLE, State


def confirm(lab: Lab, _state: State) -> State:
    """Each arm's best, and the untouched code, on fresh seeds and the confirm split."""
    lab.say(PhaseChanged("confirming"))
    _all_arms(lab, "confirm")
    return IDLE


def seal(lab: Lab, _state: State) -> State:
    """The same models on the sealed split, opened once in a run. Targets without splits have nothing to open."""
    if lab.target.splits is None:
        return IDLE
    if not _missing(lab, "sealed"):
        return IDLE
    lab.say(PhaseChanged("opening the sealed split"))
    lab.journal.ledger.open_sealed(lab.run_id)
    _all_arms(lab, "sealed")
    return IDLE


def report(lab: Lab, _state: State) -> State:
    """Promotes what was confirmed, writes the report, ends the run."""
    ledger = lab.journal.ledger
    lab.say(PhaseChanged("reporting"))
    branches = _promote(lab)
    comparison = compare(ledger, lab.run_id)
    ledger.set_status(lab.run_id, "no_signal" if comparison.no_signal else "done", comparison.verdict)
    written = write_report(ledger, lab.run_id, lab.folder)
    lab.say(
        RunFinished(
            run_id=lab.run_id,
            status=ledger.run(lab.run_id).status,
            verdict=comparison.verdict,
            reports=(str(written.html), str(written.markdown)),
            branches=tuple(branches),
            ledger=ledger.where,
        )
    )
    return IDLE


def _winners(lab: Lab) -> dict[Arm, str]:
    arms: dict[Arm, str] = {"baseline": lab.checkout.base}
    arms.update({arm: winner_commit(lab, arm) for arm in lab.options.arms})
    return arms


def _attempts(lab: Lab, phase: Phase) -> list[Attempt]:
    """One attempt a seed and arm, seeds outermost: all arms meet the same minutes."""
    base, arms = lab.checkout.base, _winners(lab)
    return [
        Attempt(arm, phase, commit, base, (seed,))
        for seed in lab.the_plan.confirm_seeds
        for arm, commit in arms.items()
    ]


def _missing(lab: Lab, phase: Phase) -> list[Attempt]:
    return [a for a in _attempts(lab, phase) if not lab.journal.trial(a.id(lab.run_id))]


def _all_arms(lab: Lab, phase: Phase) -> None:
    """Runs what is missing. Arms with the same winner share its runs: the first arm's are made, then taken over."""
    missing = _missing(lab, phase)
    first: dict[tuple[str, int], Attempt] = {}
    for attempt in _attempts(lab, phase):  # those a stop left done too, so that the others still come after them
        first.setdefault((attempt.commit, attempt.seeds[0]), attempt)
    made = [attempt for attempt in missing if attempt in first.values()]
    for batch in (made, [attempt for attempt in missing if attempt not in made]):
        for attempt in batch:
            lab.slots.submit(partial(perform, lab, attempt))
        for done in range(1, len(batch) + 1):
            lab.wait()
            if batch is made and (done == len(batch) or done % max(1, len(batch) // 5) == 0):
                lab.say(Note(f"{phase}: {done} of {len(batch)} runs"))


def _promote(lab: Lab) -> list[str]:
    """Branches for the winners the confirm split upheld, and for the single edits they are made of."""
    comparison = compare(lab.journal.ledger, lab.run_id)
    upheld = {arm.arm: arm for arm in comparison.arms if arm.gain and arm.gain.better and not arm.broken}
    rows: list[ProposalRecord] = []
    for name in ("edits", "edits+tuner", "tuner"):
        commit = _winners(lab).get(name) if name in upheld else None
        rows += [r for r in lab.journal.proposals() if commit and r.commit == commit][:1]
    if "edits" in upheld:
        rows += _parts(lab, rows[0]) if rows else []
    branches = []
    for number, row in enumerate(dict.fromkeys(row.id for row in rows), start=1):
        record = lab.journal.proposal(row)
        branches.append(_promote_one(lab, record, number))
    return [branch for branch in branches if branch]


def _parts(lab: Lab, whole: ProposalRecord) -> list[ProposalRecord]:
    """Edits tried alone on the base and kept, that the winner contains."""
    held = edits_of(whole)
    kept = {t.proposal_id for t in lab.journal.trials("edits", "search") if t.decision == "keep"}
    return [
        row
        for row in lab.journal.proposals("edits")
        if row.id in kept and row.id != whole.id and all(edit in held for edit in edits_of(row))
    ]


def _promote_one(lab: Lab, row: ProposalRecord, number: int) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", row.title.lower()).strip("-")[:40].strip("-")
    branch = f"branchlab/{lab.run_id}/{number:02d}-{slug or 'edit'}"
    try:
        name = lab.checkout.promote(row.commit or "", branch)
    except TargetError as error:  # the commit stays in our clone: nothing is lost
        lab.say(Note(str(error), "warning"))
        return ""
    lab.journal.update(row.id, branch=branch)
    lab.say(Promoted(row.title, branch))
    return name

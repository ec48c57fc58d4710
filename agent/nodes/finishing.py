"""After the search: fresh seeds decide, the sealed split is opened once, branches and report are handed over."""

from dataclasses import asdict, replace
from functools import partial

from ...evals.compare import compare
from ...evals.report import write_report
from ...evals.rows import RunStatus
from ...evals.standings import family_of
from ...evals.trial import Arm, Phase
from ..attempt import SPLIT_OF, Attempt, perform
from ..events import Note, PhaseChanged, RunFinished
from ..lab import Lab
from ..policy import affordable_seeds
from .arms import winner_commit
from .promoting import promote
from .state import IDLE, State

OVERRUN = 1.1


def confirm(lab: Lab, _state: State) -> State:
    """Each arm's best, and the untouched code, on fresh seeds and the confirm split.

    Who is to be tested, over how many seeds and at what level is written down before the first of them runs.
    """
    lab.say(PhaseChanged("confirming"))
    ledger = lab.journal.ledger
    if "acceptance" not in ledger.run(lab.run_id).settings:
        winners, plan = {str(arm): commit for arm, commit in _winners(lab).items()}, lab.the_plan
        commits = set(winners.values())
        seeds = plan.confirm_seeds
        if len(commits) > 1:
            per_seed = sum(lab.seconds_of(commit) for commit in commits)
            seeds = affordable_seeds(plan, lab.target.seeds.confirm, lab.spent_seconds, per_seed)
        family = family_of(winners, lab.checkout.base, seeds)
        ledger.update_settings(lab.run_id, acceptance=family, plan=asdict(replace(plan, confirm_seeds=seeds)))
        if len(seeds) > len(plan.confirm_seeds):
            lab.say(Note(f"the search left budget unused: {len(seeds)} fresh seeds"))
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
    branches = promote(lab)
    comparison = compare(ledger, lab.run_id)
    undecided = any(arm.standing and arm.standing.state == "undecided" for arm in comparison.arms)
    status: RunStatus = "no_signal" if comparison.no_signal else "budget_exhausted" if undecided else "done"
    ledger.set_status(lab.run_id, status, comparison.verdict)
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
    """One attempt a seed and arm, seeds outermost: all arms meet the same minutes. Sealed: of what was confirmed."""
    base, arms = lab.checkout.base, _winners(lab)
    attempts = [
        Attempt(arm, phase, commit, base, (seed,)) for seed in lab.confirm_seeds for arm, commit in arms.items()
    ]
    if phase != "sealed":
        return attempts
    return [a for a in attempts if lab.journal.trial(replace(a, phase="confirm").id(lab.run_id))]


def _missing(lab: Lab, phase: Phase) -> list[Attempt]:
    return [a for a in _attempts(lab, phase) if not lab.journal.trial(a.id(lab.run_id))]


def _all_arms(lab: Lab, phase: Phase) -> None:
    """Runs what is missing. Arms with the same winner share its runs: the first arm's are made, then taken over."""
    missing = _missing(lab, phase)
    first: dict[tuple[str, int], Attempt] = {}
    for attempt in _attempts(lab, phase):  # those a stop left done too, so that the others still come after them
        first.setdefault((attempt.commit, attempt.seeds[0]), attempt)
    made = [attempt for attempt in missing if attempt in first.values()]
    done = 0
    for attempt in made:
        if phase == "confirm" and _overspent(lab):
            lab.say(
                Note(
                    "the budget is spent before all planned seeds have run: what they would decide is undecided",
                    "warning",
                )
            )
            break
        while lab.slots.full:
            lab.wait()
            done += 1
        lab.slots.submit(partial(perform, lab, attempt))
        if done and done % max(1, len(made) // 5) == 0:
            lab.say(Note(f"{phase}: {done} of {len(made)} runs"))
    _wait_all(lab)
    for attempt in missing:
        if attempt not in made and lab.journal.known(attempt.commit, attempt.seeds[0], SPLIT_OF[phase]):
            lab.slots.submit(partial(perform, lab, attempt))
            lab.wait()


def _wait_all(lab: Lab) -> None:
    while lab.slots.busy:
        lab.wait()


def _overspent(lab: Lab) -> bool:
    """Whether all that has run so far took more than the whole budget, and some: the plan is made from few runs."""
    return lab.spent_seconds > OVERRUN * lab.the_plan.total

"""Judges one branch against its base: the checks, then paired runs on fresh seeds, then one sentence."""

from dataclasses import dataclass
from functools import partial

from ..evals.compare import Difference, compare, difference
from ..evals.report import write_report
from ..evals.trial import Arm, Run, Verdict
from .attempt import Attempt, perform
from .checks import CHECKS
from .events import Note, PhaseChanged, ProposalRefused, RunFinished
from .lab import Lab
from .nodes.reading import explain_no_score
from .proposers.branch import candidate_of
from .records import to_record


@dataclass(frozen=True, slots=True)
class Review:
    """What came of it. `better`: the interval of the gain lies above zero and no check refused."""

    better: bool
    sentence: str
    verdicts: tuple[Verdict, ...]
    gain: Difference | None


def review(lab: Lab, branch: str, base: str) -> Review:
    """The verdict on `branch`, every run of it a row of the ledger.

    Raises:
        UsageError: no such branch, or nothing changed.
        TargetError: the base itself gives no score.
    """
    found = candidate_of(lab.checkout, base, branch)
    row = to_record(lab.run_id, "review", found.candidate.proposal)
    lab.journal.propose(row)
    verdicts = tuple(check.judge(lab.target, found.change) for check in CHECKS.values())
    refused = next((v for v in verdicts if not v.passed), None)
    outcome = f"refused: {refused.gate}: {refused.reason}" if refused else "branched"
    commit, diff = found.candidate.commit, found.candidate.diff
    lab.journal.update(row.id, commit=commit, diff=diff, kind=found.candidate.kind, outcome=outcome, branch=branch)
    if refused:
        lab.say(ProposalRefused("review", row.title, outcome))
        return _finish(lab, Review(False, f"{branch} is refused before any run: {refused.reason}", verdicts, None))
    lab.say(PhaseChanged("judging on fresh seeds"))
    sides: dict[Arm, list[Run]] = {"baseline": [], "review": []}
    attempts = [
        Attempt(
            arm, "confirm", base if arm == "baseline" else commit, base, (seed,), None if arm == "baseline" else row.id
        )
        for seed in lab.target.seeds.confirm
        for arm in sides
    ]
    for attempt in attempts:
        lab.slots.submit(partial(perform, lab, attempt))
    for done in range(len(attempts)):
        trial = lab.wait()
        sides[trial.arm] += trial.runs
        lab.say(Note(f"{done + 1} of {len(attempts)} runs"))
        if trial.arm == "baseline":
            explain_no_score(lab, trial)
    return _finish(lab, _judged(lab, branch, sides["review"], sides["baseline"], verdicts))


def _judged(lab: Lab, branch: str, runs: list[Run], base: list[Run], verdicts: tuple[Verdict, ...]) -> Review:
    failed = next((run for run in runs if run.score is None), None)
    if failed:
        return Review(False, f"{branch} fails: {failed.status} on seed {failed.seed}: {failed.reason}", verdicts, None)
    gain = difference(runs, base, lab.target.metric.direction)
    verdicts += next((arm.guards for arm in compare(lab.journal.ledger, lab.run_id).arms if arm.arm == "review"), ())
    if broken := [v for v in verdicts if not v.passed]:
        return Review(False, f"{branch} is not accepted: {broken[0].gate}: {broken[0].reason}", verdicts, gain)
    word = "better" if gain.better else "a tie" if gain.tie else "worse"
    interval = f" [{gain.low:+.4g}, {gain.high:+.4g}]" if gain.low is not None and gain.high is not None else ""
    sentence = f"{branch} is {word}: {lab.target.metric.name} {gain.mean or 0.0:+.4g}{interval} over {gain.n} seeds ({gain.method})"
    return Review(gain.better, sentence, verdicts, gain)


def _finish(lab: Lab, result: Review) -> Review:
    ledger = lab.journal.ledger
    ledger.set_status(lab.run_id, "done", result.sentence)
    written = write_report(ledger, lab.run_id, lab.folder)
    where = (str(written.html), str(written.markdown))
    lab.say(RunFinished(lab.run_id, "done", result.sentence, where, ledger=ledger.where))
    return result

"""Before anything is tried: what the code holds, and what the untouched code scores and costs."""

from dataclasses import asdict
from functools import partial

from ...evals.trial import Trial
from ...evals.tuners import about
from ...evals.verdict import determinism_caveats
from ...targets.errors import TargetError
from ..attempt import Attempt, perform
from ..audit import QUESTIONS, audit
from ..events import BudgetUsed, CodeRead, Note, PhaseChanged
from ..guarding import check_untouched
from ..lab import CALIBRATION_RUNS, Lab
from ..proposers.defects import find_defects
from ..resolution import in_words, refuse_what_cannot_resolve, resolution
from ..scale_plan import rung_seconds
from ..tunables import unknown_overrides
from .state import IDLE, State
from .trivial import trivial_baselines


def read(lab: Lab, _state: State) -> State:
    """Reads the base commit; what was understood, and what could not be read, is kept with the run."""
    lab.say(PhaseChanged("reading the code"))
    base = lab.checkout.base
    code = lab.code(base)
    findings = find_defects(code)
    space = lab.space(base)
    if unknown := unknown_overrides(code, lab.target):
        raise TargetError(
            "tunables that this code does not have", where=f"{lab.target.name}: [tunables]", found=", ".join(unknown),
            wanted=", ".join(sorted(space)), fix="`branchlab map` prints the names",
        )  # fmt: skip
    audited = audit(code, lab.target)
    lab.journal.ledger.update_settings(
        lab.run_id,
        audit=[asdict(finding) for finding in audited],
        audit_questions=list(QUESTIONS),
        files=len(code.python_files),
        findings=[
            {"file": f.file, "line": f.line, "detector": f.detector, "title": f.title, "rationale": f.rationale}
            for f in findings
        ],
        tunables=[asdict(tunable) for tunable in space.values()],
        tuner=asdict(about(lab.target.tuner, tuple(space.values()))),
        unread=[asdict(entry) for entry in code.unread],
    )
    lab.say(CodeRead(len(code.python_files), len(findings), len(space), tuple(u.file for u in code.unread)))
    for finding in audited:
        place = f"evaluator audit: {finding.file}:{finding.line}: {finding.title}"
        lab.say(Note(place, "warning" if finding.severity == "high" else "info"))
    return IDLE


def calibrate(lab: Lab, _state: State) -> State:
    """Runs the untouched code over the search seeds: its score, its noise, its cost, and so the plan.

    Raises:
        TargetError: the untouched code does not give a score.
        BudgetError: it costs more than the budget can pay.
    """
    lab.say(PhaseChanged("calibrating"))
    base = lab.checkout.base
    seeds = list(lab.target.seeds.search)
    spare = (s for s in range(1_000_000, 2_000_000) if s not in seeds and s not in lab.target.seeds.confirm)
    seeds += [next(spare) for _ in range(CALIBRATION_RUNS - len(seeds))]
    # The first run of all starts what the others find started. It falls on one that no arm takes over at its price.
    attempts = [Attempt("baseline", "again", base, base, (seeds[0],))]
    attempts += [Attempt("baseline", "calibrate", base, base, (seed,)) for seed in reversed(seeds)]
    for attempt in attempts:
        lab.slots.submit(partial(perform, lab, attempt))
    for _ in attempts:
        trial = lab.wait()
        explain_no_score(lab, trial)  # at once: the other runs would fail the same way, as slowly
        check_untouched(lab, trial)
    trivial_baselines(lab)
    plan = lab.the_plan
    noise = lab.noise()
    lab.journal.ledger.update_settings(lab.run_id, plan=asdict(plan), noise=asdict(noise) if noise else None)
    if lab.target.rungs:
        note_rungs(lab)
    sd = f", spread {noise.sd:.2g} over {noise.n} seeds" if noise else ""
    lab.say(
        Note(
            f"the untouched code: {lab.target.metric.name} {noise.mean if noise else 0:.4g}{sd}, "
            f"{plan.run_seconds:.1f} s a run; each arm may search for {plan.share:.0f} device seconds "
            f"and confirms on {len(plan.confirm_seeds)} fresh seeds"
        )
    )
    _say_what_varies(lab)
    _say_what_can_be_found(lab)
    for arm in lab.options.arms:
        lab.say(BudgetUsed(arm, 0.0, plan.share))
    lab.say(PhaseChanged("searching"))
    return IDLE


def _say_what_varies(lab: Lab) -> None:
    """Whether one seed run twice gives one score, and whether different seeds give different ones."""
    again = lab.journal.trials("baseline", "again")[0].runs[0]
    first = lab.journal.runs(lab.checkout.base, [again.seed], again.split)[0]
    noise = lab.noise()
    if first.score is None or again.score is None or noise is None:
        return
    apart = abs(first.score.value - again.score.value)
    found = {"seed": again.seed, "difference": apart, "constant": noise.sd == 0.0, "seeds": noise.n}
    lab.journal.ledger.update_settings(lab.run_id, determinism=found)
    for sentence in determinism_caveats(found):
        lab.say(Note(sentence, "warning"))


def _say_what_can_be_found(lab: Lab) -> None:
    """Raises: BudgetError when it is less than what the user wants to find."""
    found = resolution(lab.target, lab.noise(), lab.the_plan, lab.calibration_seconds, lab.options.arms)
    lab.journal.ledger.update_settings(lab.run_id, resolution=asdict(found))
    lab.say(Note(in_words(found, lab.target.metric.name)))
    refuse_what_cannot_resolve(found, lab.target, lab.options.jobs)


def note_rungs(lab: Lab) -> None:
    """Keeps with the run, and says, what each rung is and costs, and whether there is room for a scale-up."""
    rungs, seconds = lab.target.rungs, rung_seconds(lab.journal.trials("baseline", "calibrate"))
    if rungs is None:
        return
    lengths = {name: rungs.length(name) for name in ("smoke", "short", "full", "scale_up")}
    kept = {"lengths": lengths, "eta": rungs.eta, "seconds": seconds, "scale_up_seeds": list(lab.scale_seeds)}
    lab.journal.ledger.update_settings(lab.run_id, rungs=kept)
    costs = ", ".join(f"{name} {lengths[name]} ({seconds[name]:.2g} s)" for name in ("smoke", "short", "full"))
    longer = f"the winners run again at {lengths['scale_up']} on {len(lab.scale_seeds)} seeds"
    room = longer if lab.scale_seeds else "the budget has no room for a scale-up"
    lab.say(Note(f"rungs: {costs}; {room}"))


def explain_no_score(lab: Lab, trial: Trial) -> None:
    """Nothing for a baseline trial that scored. Raises: TargetError that says what the untouched code did instead."""
    run = trial.runs[0]
    if run.score is not None:
        return
    raise TargetError(
        f"the untouched code gives no score ({run.status}): {run.reason}",
        where=lab.target.name,
        wanted=f"{lab.target.metric.name} from `{' '.join(lab.target.steps.train)}`",
        found=_last_words(run.log),
        fix=f"`branchlab show {lab.run_id} {trial.id}` prints the log",
    )


def _last_words(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no output"

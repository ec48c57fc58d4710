"""Before anything is tried: what the code holds, and what the untouched code scores and costs."""

from dataclasses import asdict
from functools import partial

from ...evals.trial import Trial
from ...targets.errors import TargetError
from ..attempt import Attempt, perform
from ..events import BudgetUsed, CodeRead, Note, PhaseChanged
from ..guarding import check_untouched
from ..lab import CALIBRATION_RUNS, Lab
from ..proposers.defects import find_defects
from ..tunables import unknown_overrides
from .state import IDLE, State


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
    lab.journal.ledger.update_settings(
        lab.run_id,
        files=len(code.python_files),
        findings=[
            {"file": f.file, "line": f.line, "detector": f.detector, "title": f.title, "rationale": f.rationale}
            for f in findings
        ],
        tunables=[asdict(tunable) for tunable in space.values()],
        unread=[asdict(entry) for entry in code.unread],
    )
    lab.say(CodeRead(len(code.python_files), len(findings), len(space), tuple(u.file for u in code.unread)))
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
    for seed in seeds:
        lab.slots.submit(partial(perform, lab, Attempt("baseline", "calibrate", base, base, (seed,))))
    for _ in seeds:
        trial = lab.wait()
        explain_no_score(lab, trial)  # at once: the other runs would fail the same way, as slowly
        check_untouched(lab, trial)
    plan = lab.the_plan
    noise = lab.noise()
    lab.journal.ledger.update_settings(lab.run_id, plan=asdict(plan), noise=asdict(noise) if noise else None)
    sd = f", spread {noise.sd:.2g} over {noise.n} seeds" if noise else ""
    lab.say(
        Note(
            f"the untouched code: {lab.target.metric.name} {noise.mean if noise else 0:.4g}{sd}, "
            f"{plan.run_seconds:.1f} s a run; each arm may search for {plan.share:.0f} device seconds "
            f"and confirms on {len(plan.confirm_seeds)} fresh seeds"
        )
    )
    for arm in lab.options.arms:
        lab.say(BudgetUsed(arm, 0.0, plan.share))
    lab.say(PhaseChanged("searching"))
    return IDLE


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

"""The guards of target.toml on one trial: what its runs show, and the commands run on its tree."""

import shutil
from dataclasses import replace

from ..evals.gates.guards import PREFIX, measured, of_command, value_of
from ..evals.trial import Trial, Verdict
from ..sandbox.built_environments import NotBuilt
from ..targets.errors import SandboxError, TargetError
from .lab import Lab

TRIES = 2


def guarded(lab: Lab, trial: Trial) -> Trial | None:
    """The trial with the verdicts of its guards, and charged for their commands; None when the run is being stopped.

    Asked where the answer counts: of a search trial that would be kept, of the first run of the untouched code (what fails
    there is the user's mistake), and of the first run of a reviewed branch. A winner's confirmation is judged over all its
    seeds at once, from the ledger: see `evals.compare`.

    Raises: SandboxError when the sandbox failed twice on a command.
    """
    guards = lab.target.guards
    if not guards or trial.decision != "keep" or trial.arm == "rerun":
        return trial
    if trial.phase == "search":
        base = lab.journal.runs(lab.checkout.base, [run.seed for run in trial.runs], "search")
        verdicts = measured(guards, trial.runs, base, lab.target.metric.direction)
        trial = replace(trial, verdicts=(*trial.verdicts, *verdicts))
        if not all(verdict.passed for verdict in verdicts):
            return replace(trial, decision="discard")
        return _commanded(lab, trial)
    if trial.phase == "calibrate":
        missing = [guard for guard in guards if guard.command is None and value_of(guard, trial.runs[0]) is None]
        verdicts = tuple(Verdict(PREFIX + g.name, False, f"no value of {_what(g)}") for g in missing)
        trial = replace(trial, verdicts=(*trial.verdicts, *verdicts))
    first = {"calibrate": lab.target.seeds.search[0], "confirm": lab.target.seeds.confirm[0]}.get(trial.phase)
    asked = trial.phase == "calibrate" or trial.arm == "review"
    return _commanded(lab, trial) if asked and trial.runs[0].seed == first else trial


def check_untouched(lab: Lab, trial: Trial) -> None:
    """Nothing for a run of the untouched code that its guards can be held against. Raises: TargetError when it breaks one:
    every candidate would."""
    for verdict in trial.verdicts:
        if verdict.gate.startswith(PREFIX) and not verdict.passed:
            name = verdict.gate.removeprefix(PREFIX)
            raise TargetError(
                f"the untouched code breaks guard {name}", where=lab.target.name, found=verdict.reason,
                fix="mend the guard in target.toml, or the code, and commit",
            )  # fmt: skip


def _commanded(lab: Lab, trial: Trial) -> Trial | None:
    """The trial with the verdicts of the commands, the cheapest way out first: after one that fails no other is run."""
    commands = [guard for guard in lab.target.guards if guard.command is not None]
    if not commands:
        return trial
    environment = lab.environments.of(trial.commit, lab.stopping) if lab.environments else None
    interpreter = None if environment is None or isinstance(environment, NotBuilt) else environment.interpreter
    tree = lab.tree(trial.commit)
    try:
        for guard in commands:
            for _ in range(TRIES):
                if lab.stopping.is_set():
                    return None
                lab.journal.begin(trial.id, trial.arm)
                result = lab.judge.command(tree, guard.command or (), interpreter)
                if lab.stopping.is_set():
                    return None
                if result.status != "sandbox_failed":
                    break
                lab.journal.charge_failed(trial.id, result.device_seconds)
            else:
                raise SandboxError(
                    "the sandbox failed twice on a guard", found=result.reason, fix="run `branchlab doctor`"
                )
            verdict = of_command(guard.name, result)
            seconds = trial.device_seconds + result.device_seconds
            trial = replace(trial, verdicts=(*trial.verdicts, verdict), device_seconds=seconds)
            if not verdict.passed:
                return replace(trial, decision="discard" if trial.phase == "search" else trial.decision)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return trial


def _what(guard: object) -> str:
    return next((str(v) for k in ("metric", "slice", "measure") if (v := getattr(guard, k, None))), "it")

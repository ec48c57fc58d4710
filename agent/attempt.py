"""One trial from commit to row: run its seeds, put the gates' questions, write it down. Called in a slot's thread.

The row is written here and not by the graph, so that a trial that ended is in the ledger whatever happens next.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

from ..evals.gates import gates_for
from ..evals.trial import Arm, Decision, Phase, Run, Trial, Verdict
from ..sandbox.built_environments import Built, NotBuilt
from ..sandbox.runner import Interpreter
from ..targets.errors import SandboxError
from .guarding import guarded
from .lab import Lab
from .policy import hopeless

SplitName = Literal["search", "confirm", "sealed"]
SPLIT_OF: dict[Phase, SplitName] = {
    "calibrate": "search", "search": "search", "confirm": "confirm", "sealed": "sealed",
}  # fmt: skip
INFRASTRUCTURE_TRIES = 2


class Interrupted(Exception):
    """The run is being stopped; what was cut off leaves no trial, only a charge."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What to run. Its id is a hash of all of it, so the same attempt is the same row."""

    arm: Arm
    phase: Phase
    commit: str
    parent: str
    seeds: tuple[int, ...]
    proposal_id: str | None = None
    params: tuple[tuple[str, float | int | bool | str], ...] = ()

    def id(self, run_id: str) -> str:
        body = [run_id, self.arm, self.phase, self.commit, self.seeds, self.proposal_id]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:12]


def perform(lab: Lab, attempt: Attempt) -> Trial:
    """The finished trial, already in the ledger.

    Raises:
        Interrupted: the run is stopping.
        SandboxError: the sandbox itself failed twice on this run.
    """
    trial_id = attempt.id(lab.run_id)
    done = lab.journal.trial(trial_id)
    if done:
        return done
    if lab.stopping.is_set():
        raise Interrupted
    try:
        runs, taken = _runs(lab, attempt)
    except BaseException:
        lab.journal.cut_off(trial_id)
        raise
    verdicts, decision = _decide(lab, attempt, runs)
    trial = Trial(
        id=trial_id,
        run_id=lab.run_id,
        arm=attempt.arm,
        phase=attempt.phase,
        commit=attempt.commit,
        parent=attempt.parent,
        params=dict(attempt.params),
        proposal_id=attempt.proposal_id,
        runs=tuple(runs),
        verdicts=verdicts,
        decision=decision,
        device_seconds=sum(run.device_seconds for run in runs),
        taken_from=taken,
        created=time.time(),
        model_dollars=lab.journal.ledger.model_cost(lab.run_id, attempt.arm).dollars if lab.modelled else 0.0,
    )
    try:
        held = guarded(lab, trial)
        if held is None:
            raise Interrupted
    except BaseException:
        lab.journal.cut_off(trial_id)
        raise
    lab.journal.add(held)
    return held


def _runs(lab: Lab, attempt: Attempt) -> tuple[list[Run], str | None]:
    """One run a seed, those already known not run again; stops at the first that makes the rest pointless."""
    split = SPLIT_OF[attempt.phase]
    runs: list[Run] = []
    sources: set[str] = set()
    tree: Path | None = None
    environment: Built | NotBuilt | None = None
    try:
        for seed in attempt.seeds:
            known = lab.journal.known(attempt.commit, seed, split)
            if known:
                sources.add(known[0])
                runs.append(known[1])
            else:
                sources.add("")
                lab.journal.begin(attempt.id(lab.run_id), attempt.arm)
                tree = tree or lab.tree(attempt.commit)
                environment = environment or _environment(lab, attempt)
                runs.append(_run(lab, attempt, tree, seed, environment))
                environment = replace(environment, seconds=0.0) if environment else None
            if runs[-1].score is None or _pointless(lab, attempt, runs):
                break
    finally:
        if tree:
            shutil.rmtree(tree, ignore_errors=True)
    return runs, None if "" in sources else min(sources)


def _environment(lab: Lab, attempt: Attempt) -> Built | NotBuilt | None:
    """The candidate's own environment, None where it has none; the seconds of building it are the attempt's."""
    found = lab.environments.of(attempt.commit, lab.stopping) if lab.environments else None
    if found and lab.stopping.is_set():
        raise Interrupted
    return found


def _run(lab: Lab, attempt: Attempt, tree: Path, seed: int, environment: Built | NotBuilt | None) -> Run:
    split = SPLIT_OF[attempt.phase]
    if isinstance(environment, NotBuilt):
        reason = f"its environment cannot be built: {environment.reason}"
        spent = environment.seconds
        return Run(seed, split, "failed", reason, None, spent, 0.0, 0.0, "", lab.runner.name, started=time.time())
    run = _judged(lab, attempt, tree, seed, environment.interpreter if environment else None)
    # What the build took is charged with the first run in it, and to who takes that run over.
    return replace(run, device_seconds=run.device_seconds + environment.seconds) if environment else run


def _judged(lab: Lab, attempt: Attempt, tree: Path, seed: int, interpreter: Interpreter | None) -> Run:
    keep, split = attempt.phase == "confirm", SPLIT_OF[attempt.phase]
    for _ in range(INFRASTRUCTURE_TRIES):
        if lab.stopping.is_set():
            raise Interrupted
        run = lab.judge.run(tree, attempt.commit, seed, split, keep_model=keep, interpreter=interpreter)
        if lab.stopping.is_set():
            raise Interrupted
        if run.status != "sandbox_failed":
            return run
        lab.journal.charge_failed(attempt.id(lab.run_id), run.device_seconds)
    raise SandboxError("the sandbox failed twice on one run", found=run.reason, fix="run `branchlab doctor`")


def _pointless(lab: Lab, attempt: Attempt, runs: Sequence[Run]) -> bool:
    """Whether the first seed already lost by so much that the others would be wasted; the same rule for every arm."""
    if attempt.phase != "search" or len(runs) != 1 or runs[0].score is None:
        return False
    noise = lab.noise()
    if noise is None:
        return False
    return hopeless(runs[0].score.value, noise.mean, noise.sd, lab.target.metric.direction)


def _decide(lab: Lab, attempt: Attempt, runs: Sequence[Run]) -> tuple[tuple[Verdict, ...], Decision]:
    failed = next((run for run in runs if run.score is None), None)
    if failed:
        return (Verdict("runs", False, f"{failed.status}: {failed.reason}"),), "crash"
    if attempt.phase != "search":
        return (), "keep"
    # A rerun has seeds of its own: it is held against the first runs of the same code, as a tuner's trial 0 would be.
    seeds = lab.target.seeds.search if attempt.arm == "rerun" else [run.seed for run in runs]
    incumbent = lab.journal.runs(attempt.parent, seeds, SPLIT_OF[attempt.phase])
    if attempt.arm == "edits":
        verdicts = tuple(gate.judge(lab.target, runs, incumbent) for gate in gates_for(lab.noise()))
    else:
        verdicts = (_better(lab, runs, incumbent),)
    return verdicts, "keep" if all(v.passed for v in verdicts) and len(runs) == len(attempt.seeds) else "discard"


def _better(lab: Lab, runs: Sequence[Run], incumbent: Sequence[Run]) -> Verdict:
    """A tuner's own rule: the better mean, as the tuner itself sees it. The confirm split has the last word."""
    mine = fmean(run.score.value for run in runs if run.score)
    theirs = fmean([run.score.value for run in incumbent if run.score] or [mine])
    passed = mine > theirs if lab.target.metric.direction == "maximize" else mine < theirs
    return Verdict("better mean", passed, f"{mine:.5g} against {theirs:.5g} of the code it started from")

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
from ..evals.rungs import decide, evidence_of, sampled, taken_over
from ..evals.trial import Arm, Decision, Phase, Pruning, Run, Rung, Trial, Verdict
from ..sandbox.built_environments import Built, NotBuilt
from ..sandbox.runner import Interpreter
from ..targets.errors import SandboxError
from .guarding import guarded
from .lab import Lab
from .policy import hopeless

SplitName = Literal["search", "confirm", "sealed"]
SPLIT_OF: dict[Phase, SplitName] = {
    "calibrate": "search", "again": "search", "search": "search", "confirm": "confirm", "attribute": "confirm",
    "scale_up": "confirm", "sealed": "sealed",
}  # fmt: skip
RUNG_OF: dict[Phase, Rung] = {"scale_up": "scale_up"}
"""Phases whose runs are not of full length."""
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
        climbed = _climb(lab, attempt)
    except BaseException:
        lab.journal.cut_off(trial_id)
        raise
    verdicts, decision = _decide(lab, attempt, climbed)
    trial = Trial(
        id=trial_id,
        run_id=lab.run_id,
        arm=attempt.arm,
        phase=attempt.phase,
        commit=attempt.commit,
        parent=attempt.parent,
        params=dict(attempt.params),
        proposal_id=attempt.proposal_id,
        runs=climbed.runs,
        verdicts=verdicts,
        decision=decision,
        device_seconds=sum(run.device_seconds for run in (*climbed.ladder, *climbed.runs)),
        taken_from=climbed.taken_from,
        created=time.time(),
        ladder=climbed.ladder,
        pruning=climbed.pruning,
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


class _Place:
    """Where an attempt runs: one tree and one environment for all of its runs, made when the first one needs them."""

    def __init__(self, lab: Lab, attempt: Attempt) -> None:
        self._lab, self._attempt = lab, attempt
        self._tree: Path | None = None
        self._environment: Built | NotBuilt | None = None
        self._sources: set[str] = set()

    @property
    def taken_from(self) -> str | None:
        """Id of the trial all runs were made for, when none was made here."""
        return None if "" in self._sources else min(self._sources)

    def runs(self, rung: Rung, seeds: Sequence[int]) -> list[Run]:
        """One run a seed, those already known not run again; stops at the first that makes the rest pointless."""
        lab, attempt = self._lab, self._attempt
        runs: list[Run] = []
        for seed in seeds:
            # `again` asks whether the same run comes out the same.
            again = attempt.phase == "again"
            known = None if again else lab.journal.known(attempt.commit, seed, SPLIT_OF[attempt.phase], rung)
            self._sources.add(known[0] if known else "")
            runs.append(known[1] if known else self._new(rung, seed))
            if runs[-1].score is None or (rung == "full" and _pointless(lab, attempt, runs)):
                break
        return runs

    def _new(self, rung: Rung, seed: int) -> Run:
        lab, attempt = self._lab, self._attempt
        lab.journal.begin(attempt.id(lab.run_id), attempt.arm)
        self._tree = self._tree or lab.tree(attempt.commit)
        self._environment = self._environment or _environment(lab, attempt)
        run = _run(lab, attempt, self._tree, (rung, seed), self._environment)
        self._environment = replace(self._environment, seconds=0.0) if self._environment else None
        return run

    def close(self) -> None:
        if self._tree:
            shutil.rmtree(self._tree, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Climbed:
    """How far an attempt came."""

    runs: tuple[Run, ...]
    """At the attempt's own length; a shorter one without a score, when the candidate fell there."""
    taken_from: str | None
    ladder: tuple[Run, ...] = ()
    pruning: Pruning = ""
    promotion: tuple[Verdict, ...] = ()
    """Why it went on or did not; empty where there are no rungs."""


def _climb(lab: Lab, attempt: Attempt) -> _Climbed:
    """Smoke, short, full where the target has rungs and the attempt is of the search: the same for every arm."""
    place = _Place(lab, attempt)
    ladder: list[Run] = []
    try:
        if lab.target.rungs and attempt.phase in ("calibrate", "search"):
            steps: tuple[tuple[Rung, Sequence[int]], ...] = (("smoke", attempt.seeds[:1]), ("short", attempt.seeds))
            for rung, seeds in steps:
                ladder += map(_lean, place.runs(rung, seeds))
                if ladder[-1].score is None:
                    return _Climbed((ladder[-1],), place.taken_from, tuple(ladder[:-1]))
        pruning, promotion = _promotion(lab, attempt, ladder)
        runs = () if pruning == "pruned" else tuple(place.runs(RUNG_OF.get(attempt.phase, "full"), attempt.seeds))
        return _Climbed(runs, place.taken_from, tuple(ladder), pruning, promotion)
    finally:
        place.close()


def _lean(run: Run) -> Run:
    """Nothing is concluded from the examples of a shorter run, and there are many."""
    return replace(run, score=replace(run.score, per_example=None, groups=None)) if run.score else run


def _promotion(lab: Lab, attempt: Attempt, ladder: Sequence[Run]) -> tuple[Pruning, tuple[Verdict, ...]]:
    short = [run.score.value for run in ladder if run.rung == "short" and run.score]
    if lab.target.rungs is None or attempt.phase != "search" or not short:
        return "", ()
    # What `edits+tuner` took over from another arm is of other candidates.
    own = [t for t in lab.journal.trials(attempt.arm, "search") if not taken_over(t)]
    found = decide(fmean(short), evidence_of(own), lab.target.rungs.eta, lab.target.metric.direction)
    if found.goes_on:
        return "", (Verdict("promotion", True, found.reason),)
    if sampled(lab.options.seed, attempt.commit, sum(t.pruning != "" for t in own)):
        return "sampled", (Verdict("promotion", True, f"{found.reason}; run to the end all the same, as a sample"),)
    return "pruned", (Verdict("promotion", False, found.reason),)


def _environment(lab: Lab, attempt: Attempt) -> Built | NotBuilt | None:
    """The candidate's own environment, None where it has none; the seconds of building it are the attempt's."""
    found = lab.environments.of(attempt.commit, lab.stopping) if lab.environments else None
    if found and lab.stopping.is_set():
        raise Interrupted
    return found


def _run(lab: Lab, attempt: Attempt, tree: Path, which: tuple[Rung, int], environment: Built | NotBuilt | None) -> Run:
    (rung, seed), split = which, SPLIT_OF[attempt.phase]
    if isinstance(environment, NotBuilt):
        reason = f"its environment cannot be built: {environment.reason}"
        spent = environment.seconds
        return Run(
            seed, split, "failed", reason, None, spent, 0.0, 0.0, "", lab.runner.name, started=time.time(), rung=rung
        )
    run = _judged(lab, attempt, tree, which, environment.interpreter if environment else None)
    # What the build took is charged with the first run in it, and to who takes that run over.
    return replace(run, device_seconds=run.device_seconds + environment.seconds) if environment else run


def _judged(lab: Lab, attempt: Attempt, tree: Path, which: tuple[Rung, int], interpreter: Interpreter | None) -> Run:
    rung, seed = which
    judge = lab.judge if rung == "full" else lab.judge.at(rung)
    keep, split = attempt.phase == "confirm", SPLIT_OF[attempt.phase]
    for _ in range(INFRASTRUCTURE_TRIES):
        if lab.stopping.is_set():
            raise Interrupted
        if rung == "full" and _is_template(lab, attempt):
            run = lab.judge.run_and_keep(tree, attempt.commit, seed, lab.template, interpreter=interpreter)
        else:
            run = judge.run(tree, attempt.commit, seed, split, keep_model=keep, interpreter=interpreter)
        if lab.stopping.is_set():
            raise Interrupted
        if run.status != "sandbox_failed":
            return run
        lab.journal.charge_failed(attempt.id(lab.run_id), run.device_seconds)
    raise SandboxError("the sandbox failed twice on one run", found=run.reason, fix="run `branchlab doctor`")


def _is_template(lab: Lab, attempt: Attempt) -> bool:
    """Whether the trivial baselines are made from this run's predictions: the untouched code's on the first seed."""
    return attempt.phase == "calibrate" and attempt.seeds[0] == lab.target.seeds.search[0]


def _pointless(lab: Lab, attempt: Attempt, runs: Sequence[Run]) -> bool:
    """Whether the first seed already lost by so much that the others would be wasted; the same rule for every arm."""
    if attempt.phase != "search" or len(runs) != 1 or runs[0].score is None:
        return False
    noise = lab.noise()
    if noise is None:
        return False
    return hopeless(runs[0].score.value, noise.mean, noise.sd, lab.target.metric.direction)


def _decide(lab: Lab, attempt: Attempt, climbed: _Climbed) -> tuple[tuple[Verdict, ...], Decision]:
    runs = climbed.runs
    failed = next((run for run in runs if run.score is None), None)
    if failed:
        where = f" at the {failed.rung} rung" if failed.rung != "full" else ""
        return (Verdict("runs", False, f"{failed.status}{where}: {failed.reason}"),), "crash"
    if attempt.phase != "search":
        return (), "keep"
    if climbed.pruning == "pruned":
        return climbed.promotion, "discard"
    # A rerun has seeds of its own: it is held against the first runs of the same code, as a tuner's trial 0 would be.
    seeds = lab.target.seeds.search if attempt.arm == "rerun" else [run.seed for run in runs]
    incumbent = lab.journal.runs(attempt.parent, seeds, SPLIT_OF[attempt.phase])
    if attempt.arm == "edits":
        verdicts = tuple(gate.judge(lab.target, runs, incumbent) for gate in gates_for(lab.noise()))
    else:
        verdicts = (_better(lab, runs, incumbent),)
    passed = all(v.passed for v in verdicts) and len(runs) == len(attempt.seeds)
    return (*climbed.promotion, *verdicts), "keep" if passed else "discard"


def _better(lab: Lab, runs: Sequence[Run], incumbent: Sequence[Run]) -> Verdict:
    """A tuner's own rule: the better mean, as the tuner itself sees it. The confirm split has the last word."""
    mine = fmean(run.score.value for run in runs if run.score)
    theirs = fmean([run.score.value for run in incumbent if run.score] or [mine])
    passed = mine > theirs if lab.target.metric.direction == "maximize" else mine < theirs
    return Verdict("better mean", passed, f"{mine:.5g} against {theirs:.5g} of the code it started from")

"""Findings settled by small experiments before the first of them is trained."""

import shutil
from functools import partial
from typing import Any

from ...evals.charges import PROBES
from ...evals.judge import surroundings
from ...sandbox.runner import Interpreter
from ..attempt import Interrupted
from ..events import Note
from ..lab import Lab
from ..probes.base import Probed
from ..probes.reader import Reader
from ..probes.running import Bench, Outcome, plan, probe_findings
from ..proposers.defects import Finding, Program, find_defects
from .state import IDLE, State

WORTH_SECONDS = 5.0
"""Device seconds that probes cost, about: where less may be spent, trying is cheaper than asking."""
MOST_OF_SHARE = 0.1
"""Of what the edits arm may search for: the rest is for trials."""


def probe(lab: Lab, _state: State) -> State:
    """Asks the probes once in a run, of the untouched code, and keeps with the run what they said."""
    settings = lab.journal.ledger.run(lab.run_id).settings
    if "edits" not in lab.options.arms or "probes" in settings or lab.environments is None:
        return IDLE
    code = lab.code(lab.checkout.base)
    findings = [finding for finding in find_defects(code) if finding.edits]
    reader = Reader(Program.of(code), lab.target.environment.path, lab.target.steps.train)
    able = sum(bool(tasks) for tasks in plan(findings, reader)[1])
    seconds = min(able * lab.the_plan.trial_seconds, MOST_OF_SHARE * lab.the_plan.share)
    if seconds < WORTH_SECONDS:
        if able:
            lab.say(
                Note(f"no probes: only {seconds:.1f} s could be spent on {able} findings, and trying them is as cheap")
            )
        return IDLE
    work = partial(_asked, lab, lab.environments.interpreter, findings, (reader, seconds))
    outcome = lab.slots.run(work, lab.journal.meter)
    count = {name: sum(one.verdict == name for one in outcome.probed) for name in ("confirmed", "refuted", "unprobed")}
    told = ", ".join(f"{number} {name}" for name, number in count.items())
    lab.say(Note(f"probes: {told}, in {outcome.seconds:.1f} s"))
    for one in outcome.probed:
        if one.verdict == "refuted":
            lab.say(Note(f"not tried: {one.finding.file}:{one.finding.line}: {one.finding.title}: {one.reason}"))
    return IDLE


def refuted(lab: Lab) -> frozenset[str]:
    """Identities of findings that are not worth a trial: every finding of that identity was refuted."""
    verdicts = (lab.journal.ledger.run(lab.run_id).settings.get("probes") or {}).get("verdicts", ())
    left = {one["identity"] for one in verdicts if one["verdict"] != "refuted"}
    return frozenset(one["identity"] for one in verdicts if one["verdict"] == "refuted") - left


def _asked(lab: Lab, interpreter: Interpreter, findings: list[Finding], how: tuple[Reader, float]) -> Outcome:
    """In a slot, for at most so many device seconds. Raises: Interrupted when the run is stopping; what was used until then is charged."""
    reader, most_seconds = how
    lab.journal.begin(PROBES, "edits")
    tree = lab.tree(lab.checkout.base)
    try:
        bench = Bench(
            runner=lab.runner,
            interpreter=interpreter,
            tree=tree,
            scratch=lab.folder / "scratch",
            env=surroundings(lab.target),
            preload=lab.judge.preload("train"),
            stopped=lab.stopping.is_set,
            wall_seconds=most_seconds,
        )
        outcome = probe_findings(findings, reader, bench)
        if lab.stopping.is_set():
            raise Interrupted
        lab.journal.keep_probes(outcome.seconds, [_row(one) for one in outcome.probed])
        return outcome
    finally:
        lab.journal.cut_off(PROBES)  # nothing once they are kept
        shutil.rmtree(tree, ignore_errors=True)


def _row(one: Probed) -> dict[str, Any]:
    finding = one.finding
    return {
        "identity": finding.identity, "file": finding.file, "line": finding.line, "detector": finding.detector,
        "verdict": one.verdict, "reason": one.reason, "probe": one.probe, "seconds": one.seconds,
    }  # fmt: skip

"""`branchlab probe`: what small experiments in the sandbox say of each suspicion."""

import json
import shutil
from pathlib import Path

import click

from ..evals.judge import surroundings
from ..sandbox import backends
from ..targets.checkout import Checkout
from ..targets.find import find_target
from ..targets.state_folder import prepare_home
from .environment import CommitEnvironments
from .probes.base import Probed
from .probes.reader import Reader
from .probes.running import Bench, Outcome, printable, probe_findings
from .proposers.defects import Program, find_defects
from .read_commit import read_commit

KEYS = ("file", "line", "detector", "title")


def show_probes(ref: str, home: Path, *, sandbox: str, as_json: bool) -> None:
    """Prints every finding of the target's base commit with its verdict.

    Raises: SandboxError when no sandbox can be had, TargetError when the target's environment cannot.
    """
    home = prepare_home(home)
    target = find_target(ref, home)
    runner = backends.choose(sandbox)
    checkout = Checkout.open(target, home)
    scratch = home / "probes"
    try:
        environments = CommitEnvironments(target, checkout, runner, home, lambda text: click.echo(text, err=True))
        code = read_commit(checkout, checkout.base, target)
        tree = scratch / "tree"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        checkout.materialise(checkout.base, tree, leave_out=target.hidden)
        reader = Reader(Program.of(code), target.environment.path, target.steps.train)
        bench = Bench(runner, environments.interpreter, tree, scratch, surroundings(target))
        outcome = probe_findings(find_defects(code), reader, bench)
    finally:
        checkout.close()
        shutil.rmtree(scratch, ignore_errors=True)
    if as_json:
        click.echo(json.dumps({"assumed": reader.recipe["assumed"], "seconds": outcome.seconds, "findings": [as_data(one) for one in outcome.probed]}))  # fmt: skip
    else:
        click.echo(as_text(outcome, reader.recipe["assumed"]))


def as_data(one: Probed) -> dict[str, str | int | float]:
    """One finding with its verdict as plain data."""
    body: dict[str, str | int | float] = {key: getattr(one.finding, key) for key in KEYS}
    return body | {"verdict": one.verdict, "reason": one.reason, "probe": one.probe, "probe_seconds": one.seconds}


def as_text(outcome: Outcome, assumed: list[str]) -> str:
    """A paragraph for each finding, then what it cost."""
    lines: list[str] = []
    for one in outcome.probed:
        finding = one.finding
        place = printable(f"{finding.file}:{finding.line}")
        asked = f" [{one.probe}, {one.seconds:.1f} s]" if one.seconds else ""
        lines += [f"{one.verdict:10} {finding.detector} {place}{asked}", f"           {printable(finding.title)}", f"           {one.reason}"]  # fmt: skip
    if not lines:
        return "no findings"
    taken = [f"taken for granted: {printable(text)}" for text in dict.fromkeys(assumed)]
    return "\n".join([*lines, *taken, f"{outcome.seconds:.1f} device seconds in {outcome.runs} sandboxes"])

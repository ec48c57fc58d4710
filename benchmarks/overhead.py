"""What our machinery adds to one trial, over running its three commands bare.

    python benchmarks/overhead.py [--quick] [--profile]

A trial is one seed of an edit nobody tried: proposal row, checks, commit, plain tree, three sandboxes (train, predict,
score), frozen artefacts, verdicts, ledger row. Bare is the same three commands as plain child processes on a tree that
is already there. The two take turns, and the overhead is the median of their differences. Not counted: reading the
repository (once a commit), the graph's own checkpoints. Last line on stdout: one JSON object, times in ms.
"""

import argparse
import cProfile
import io
import json
import os
import pstats
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from projects.small import make_project

from branchlab.agent.attempt import Attempt, perform
from branchlab.agent.events import Event
from branchlab.agent.lab import Lab, Options
from branchlab.agent.nodes.arms import record
from branchlab.agent.nodes.attempting import branch, check
from branchlab.agent.proposal import Edit, Proposal
from branchlab.agent.session import open_review
from branchlab.sandbox.runner import Limits, RunRequest

FULL, QUICK = 40, 20
WARM = 2
"""Pairs thrown away first: imports, caches."""
EDITED = "def features(point):\n    return [point[0], point[1], {number}]\n"


class Silent:
    def handle(self, event: Event) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


@dataclass(frozen=True)
class Cost:
    """Milliseconds."""

    wall: float
    cpu: float
    """Of this process and of all children it waited for: steadier than wall time on a busy machine."""

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.wall - other.wall, self.cpu - other.cpu)


def timed(work: Callable[[], object]) -> Cost:
    started, used = time.perf_counter(), cpu_seconds()
    work()
    return Cost((time.perf_counter() - started) * 1000, (cpu_seconds() - used) * 1000)


def cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs))


def trial(lab: Lab, number: int) -> None:
    """One trial of an edit nobody tried, from proposal to ledger row."""
    edit = Edit("replace_function", "model.py", "features", {"code": EDITED.format(number=1 + number / 1000)})
    proposal = Proposal(
        "bug_fix", f"Use both coordinates, {number}", "", (edit,), proposer="benchmark", parent=lab.checkout.base
    )
    state = branch(lab, check(lab, record(lab, "edits", proposal)))
    row = lab.journal.proposal(state["proposal"])
    assert row.commit, row.outcome
    attempt = Attempt("edits", "search", row.commit, row.parent, lab.target.seeds.search, row.id)
    done = perform(lab, attempt)
    assert all(run.score for run in done.runs), [run.reason for run in done.runs]


def baseline(lab: Lab) -> None:
    """The rows a gate compares with."""
    for seed in (0, 1, 2):
        perform(lab, Attempt("baseline", "calibrate", lab.checkout.base, lab.checkout.base, (seed,)))


def bare(lab: Lab, tree: Path, python: str) -> None:
    """The same three commands, without us."""
    with tempfile.TemporaryDirectory() as name:
        home, out = lab.target.home, Path(name)
        places = {
            "data": str(home / "data/train.json"), "model": name, "inputs": str(home / "data/search_x.json"),
            "predictions": name, "labels": str(home / "data/search_y.json"), "out": name, "seed": "0", "nonce": "0",
        }  # fmt: skip
        for words in (lab.target.steps.train, lab.target.steps.predict, lab.target.steps.score):
            command = [python, *(word.format(**places) for word in (words or ())[1:])]
            subprocess.run(command, cwd=tree, check=True, capture_output=True)
        assert (out / "metrics.json").exists()


def one_start(lab: Lab, tree: Path, python: str) -> Cost:
    """What the sandbox adds to a Python that does nothing."""
    interpreter = lab.judge._interpreter
    out = lab.folder / "scratch" / "start"
    out.mkdir(exist_ok=True)
    request = RunRequest(("python", "-c", "pass"), interpreter, tree, out, Limits(20, 512, 64))
    inside = timed(lambda: lab.runner.run(request))
    return inside - timed(lambda: subprocess.run([python, "-c", "pass"], check=True, capture_output=True))


def measure(lab: Lab, pairs: int, profile: bool) -> dict[str, float | int]:
    baseline(lab)
    tree = lab.tree(lab.checkout.base)
    python = str(lab.judge._interpreter.executable)
    profiler = cProfile.Profile() if profile else None
    ours: list[Cost] = []
    plain: list[Cost] = []
    starts: list[Cost] = []
    for number in range(pairs + WARM):
        if profiler and number >= WARM:
            profiler.enable()
        ours.append(timed(partial(trial, lab, number)))
        if profiler:
            profiler.disable()
        plain.append(timed(partial(bare, lab, tree, python)))
        starts.append(one_start(lab, tree, python))
        print(
            f"{number + 1}/{pairs + WARM}: trial {ours[-1].wall:.0f} ms, bare {plain[-1].wall:.0f} ms", file=sys.stderr
        )
    shutil.rmtree(tree)
    if profiler:
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).sort_stats("cumulative").print_stats(70)
        print(text.getvalue(), file=sys.stderr)
    return summary(ours[WARM:], plain[WARM:], starts[WARM:])


def summary(ours: Sequence[Cost], plain: Sequence[Cost], starts: Sequence[Cost]) -> dict[str, float | int]:
    added = [a - b for a, b in zip(ours, plain, strict=True)]
    spread = statistics.quantiles([cost.wall for cost in added], n=10)
    figures = {
        "trial_overhead_ms": median(added).wall,
        "sandbox_start_ms": median(starts).wall,
        "bare_ms": median(plain).wall,
        "trial_ms": median(ours).wall,
        "ratio": median(ours).wall / median(plain).wall,
        "trial_overhead_cpu_ms": median(added).cpu,
        "sandbox_start_cpu_ms": median(starts).cpu,
        "bare_cpu_ms": median(plain).cpu,
        "trial_overhead_p10_ms": spread[0],
        "trial_overhead_p90_ms": spread[-1],
        "load_average": os.getloadavg()[0],
        "cores": len(os.sched_getaffinity(0)),
    }
    return {name: round(value, 2) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pairs instead of {FULL}")
    parser.add_argument("--profile", action="store_true", help="where the time goes, on stderr; slows what is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = make_project(Path(folder) / "project")
        place = (Path(folder) / "home", Silent())
        with open_review(str(manifest), "HEAD", None, Options(600.0), place) as (lab, _):
            lab.code(lab.checkout.base)
            result = measure(lab, QUICK if options.quick else FULL, options.profile)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

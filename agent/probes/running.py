"""Asks the probes in a sandbox, and reads what they wrote as what it is: the word of the code that was probed."""

import json
import secrets
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...sandbox.files import read_regular, strict_json
from ...sandbox.runner import Interpreter, Limits, Runner, RunRequest, RunResult
from ...targets.errors import ArtifactError
from ..proposers.defects.base import Finding
from . import PROBES, SETTLES
from .base import Probed
from .facts import Ask, Facts, Settled, Unsettled
from .reader import Reader

FOLDER = Path(__file__).parent
BOOT = (
    "import sys; path = sys.argv[1] + '/inside/driver.py'; "
    "exec(compile(open(path).read(), path, 'exec'), dict(__name__='__main__'))"
)
"""A file outside the tree would start cold."""
TASK_SECONDS = 20.0
"""Of one probe, by its own clock."""
START_SECONDS = 40.0
"""Of the sandbox and the imports before the first probe. A run gets this and twice a probe's time at most."""
MOST_RUNS = 4
"""A probe that ends its process costs another start; after so many the rest stays unprobed."""
MOST_SECONDS = 120.0
"""Device seconds of all runs together."""
MOST_BYTES = 256 * 1024
MOST_FACTS = 32
LIMITS = Limits(wall_seconds=START_SECONDS + 2 * TASK_SECONDS, memory_mb=3072, disk_mb=64, processes=64, log_kb=16)


@dataclass(frozen=True)
class Bench:
    """Where probes run."""

    runner: Runner
    interpreter: Interpreter
    tree: Path
    """A plain tree of the commit that was read. It is only looked at."""
    scratch: Path
    env: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[str, ...] = ()
    """As in `RunRequest`: what the training imports, so that a server that has it already can serve."""
    stopped: Callable[[], bool] = lambda: False
    wall_seconds: float = MOST_SECONDS
    """Device seconds of all runs together."""
    task_seconds: float = TASK_SECONDS


@dataclass(frozen=True)
class Task:
    number: int
    """Place of the finding."""
    probe: str
    ask: Ask


@dataclass
class Outcome:
    """What came of all findings."""

    probed: list[Probed]
    seconds: float = 0.0
    """Device seconds of all sandboxes."""
    runs: int = 0


def plan(findings: Sequence[Finding], reader: Reader) -> tuple[list[Probed], list[list[Task]]]:
    """Each finding as unprobed, with why; and the tasks of those that can be probed, first choices first."""
    probed, tasks = list[Probed](), list[list[Task]]()
    for number, finding in enumerate(findings):
        names, mine, why = SETTLES.get(finding.detector, ()), list[Task](), ""
        for name in names:
            try:
                mine.append(Task(number, name, PROBES[name].ask(finding, reader)))
            except Unsettled as error:
                why = why or str(error)
        why = why or ("it was not asked" if names else f"no probe settles {finding.detector}")
        probed.append(Probed(finding, "unprobed", why, names[0] if names else ""))
        tasks.append(mine)
    return probed, tasks


def probe_findings(findings: Sequence[Finding], reader: Reader, bench: Bench) -> Outcome:
    """Every finding with its verdict, in order. Raises: SandboxError when the sandbox itself is gone."""
    probed, tasks = plan(findings, reader)
    outcome = Outcome(probed)
    choice = 0
    while any(len(mine) > choice for mine in tasks):
        wanted = [mine[choice] for mine in tasks if len(mine) > choice and probed[mine[0].number].verdict == "unprobed"]
        _ask(wanted, reader, bench, outcome)
        choice += 1
    return outcome


def _ask(wanted: list[Task], reader: Reader, bench: Bench, outcome: Outcome) -> None:
    """Runs the tasks; after one that ends the process, those behind it again."""
    while wanted:
        left = min(MOST_SECONDS, bench.wall_seconds) - outcome.seconds
        if outcome.runs >= MOST_RUNS or left <= 1.0 or bench.stopped():
            for task in wanted:
                _settle(outcome, task, "unprobed", "the time for probes was spent")
            return
        result, said = _run(wanted, reader, bench, min(LIMITS.wall_seconds, left))
        outcome.seconds += result.device_seconds
        outcome.runs += 1
        answered = _take(wanted, said, outcome, result)
        if answered == 0 and result.status == "sandbox_failed":
            return
        wanted = wanted[answered:]


def _run(wanted: list[Task], reader: Reader, bench: Bench, seconds: float) -> tuple[RunResult, "_Said"]:
    folder = bench.scratch / f"probe-{uuid.uuid4().hex[:12]}"
    out, given, nonce = folder / "out", folder / "plan", secrets.token_hex(16)
    try:
        out.mkdir(parents=True)
        given.mkdir()
        tasks = [{"id": task.number, "probe": task.probe, "ask": task.ask} for task in wanted]
        body = {"nonce": nonce, "seconds": bench.task_seconds, "recipe": reader.recipe, "tasks": tasks}
        (given / "plan.json").write_text(json.dumps(body), encoding="utf-8")
        request = RunRequest(
            argv=("python", "-c", BOOT, "{probes}", "{plan}/plan.json", "{out}"),
            interpreter=bench.interpreter,
            work=bench.tree,
            out=out,
            limits=replace(LIMITS, wall_seconds=seconds),
            mounts={"probes": FOLDER, "plan": given},
            env=bench.env,
            preload=bench.preload,
        )
        result = bench.runner.run(request)
        return result, _Said.read(out, nonce)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Said:
    """Lines that carry the nonce and say what they must; everything else is dropped."""

    begun: frozenset[int]
    facts: Mapping[int, tuple[Facts, float]]
    twice: frozenset[int]
    """Tasks with more than one answer: somebody else wrote too."""

    @classmethod
    def read(cls, out: Path, nonce: str) -> "_Said":
        begun, facts, twice = set[int](), dict[int, tuple[Facts, float]](), set[int]()
        try:
            lines = read_regular(out, "results.jsonl", MOST_BYTES).splitlines()
        except ArtifactError:
            lines = []
        for line in lines:
            found = _line(line, nonce)
            if found is None:
                continue
            number, facts_or_none, seconds = found
            if facts_or_none is None:
                begun.add(number)
            elif number in facts:
                twice.add(number)
            else:
                facts[number] = facts_or_none, seconds
        return cls(frozenset(begun), facts, frozenset(twice))


def _line(line: bytes, nonce: str) -> tuple[int, Facts | None, float] | None:
    try:
        body = strict_json(line)
    except (ArtifactError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("nonce") != nonce or type(body.get("id")) is not int:
        return None
    if body.get("begun") is True:
        return body["id"], None, 0.0
    facts, seconds = body.get("facts"), body.get("seconds")
    if not isinstance(facts, dict) or len(facts) > MOST_FACTS or type(seconds) is not float or not 0 <= seconds < 1e6:
        return None
    if not all(isinstance(value, bool | int | float | str) for value in facts.values()):
        return None
    return body["id"], facts, seconds


def _take(wanted: list[Task], said: _Said, outcome: Outcome, result: RunResult) -> int:
    """Settles what was answered and the one that ended the process; how many tasks from the first need no other run."""
    for place, task in enumerate(wanted):
        if task.number not in said.facts:
            how = result.reason or "its process ended early"
            if place == 0 and task.number not in said.begun:
                for one in wanted:
                    _settle(outcome, one, "unprobed", f"the probes did not start: {printable(how)}")
                return len(wanted)
            _settle(outcome, task, "unprobed", f"the probe did not end well: {printable(how)}")
            return place + 1
        facts, seconds = said.facts[task.number]
        if task.number in said.twice:
            _settle(outcome, task, "unprobed", "it was answered more than once", seconds)
            continue
        verdict, reason = verdict_of(task, facts)
        _settle(outcome, task, verdict, reason, seconds)
    return len(wanted)


def verdict_of(task: Task, facts: Facts) -> tuple[Settled, str]:
    """What the facts say of the finding; `unprobed` for whatever is not what the probe measures."""
    if isinstance(error := facts.get("error"), str) and error and len(facts) == 1:
        return "unprobed", printable(error)
    try:
        verdict, reason = PROBES[task.probe].decide(facts, task.ask)
    except (Unsettled, ArithmeticError, ValueError) as error:
        return "unprobed", printable(str(error))
    return verdict, printable(reason)


def _settle(outcome: Outcome, task: Task, verdict: Settled, reason: str, seconds: float = 0.0) -> None:
    before = outcome.probed[task.number]
    outcome.probed[task.number] = replace(
        before, verdict=verdict, reason=reason, probe=task.probe, seconds=before.seconds + seconds
    )


def printable(text: Any) -> str:
    """One line without control characters, at most 300 long."""
    return "".join(c if c.isprintable() else " " for c in " ".join(str(text)[:2000].split()))[:300]

"""What `branchlab show` prints: the trials of a run, one trial whole, or everything as plain data."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..evals.compare import compare
from ..evals.ledger import Ledger
from ..evals.naming import trial_title
from ..evals.report.curves import mean_score
from ..evals.report.diff import FileDiff, read_diff
from ..evals.report.text import one_line, tail, visible
from ..evals.trial import ProposalRecord, Run, Trial
from ..sandbox.runner import GpuUse
from ..targets.errors import UsageError
from .views.sentences import number, seconds

JSON_VERSION = 1
_STYLES = {"keep": "green", "discard": "default", "crash": "yellow"}
_DIFF_STYLES = {"add": "green", "del": "red", "hunk": "cyan", "note": "dim", "same": ""}
_LOG_LINES = 200


def trials_table(ledger: Ledger, run_id: str) -> Table:
    """A table of every trial of a run, in the order they ended.

    Raises: LedgerError when there is no such run.
    """
    run = ledger.run(run_id)
    records, defaults = _records(ledger, run_id), _defaults(run.settings)
    heading = f"run {run_id}: {run.target}, {run.status}" + (f", {run.reason}" if run.reason else "")
    table = Table(
        title=Text(one_line(heading, 500)), title_justify="left", box=None, header_style="dim", pad_edge=False
    )
    for name in ("trial", "arm", "phase"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", ratio=1, overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("seeds", justify="right")
    table.add_column("device", justify="right", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    for trial in ledger.trials(run_id):
        table.add_row(
            Text(one_line(trial.id, 20)), trial.arm, trial.phase, Text(one_line(trial_title(trial, records, defaults))),
            number(mean_score(trial)), str(len(trial.runs)), seconds(trial.device_seconds),
            Text(trial.decision, style=_STYLES[trial.decision]),
        )  # fmt: skip
    return table


def trial_detail(ledger: Ledger, run_id: str, prefix: str) -> RenderableType:
    """One trial whole: what it was, why it was decided so, its runs, its diff, the log of its last run.

    Args:
        prefix: the beginning of a trial's id, as long as it needs to be to fit one only.

    Raises:
        LedgerError: no such run.
        UsageError: no trial, or more than one, begins so.
    """
    run = ledger.run(run_id)
    trial = _only(ledger.trials(run_id), prefix, run_id)
    records = _records(ledger, run_id)
    record = records.get(trial.proposal_id or "")
    parts: list[RenderableType] = [Text(one_line(trial_title(trial, records, _defaults(run.settings))), style="bold")]
    parts += [_facts(trial, record), *_verdicts(trial), Text(), _runs(trial)]
    if record and record.diff:
        parts += [Text(), *(part for file in read_diff(record.diff) for part in _diff(file))]
    if trial.runs:
        shown = next((run for run in trial.runs if run.score is None), trial.runs[-1])
        parts += [
            Text(),
            Text(f"log of seed {shown.seed}", style="dim"),
            Text(tail(shown.log, _LOG_LINES) or "no output"),
        ]
    return Group(*parts)


def to_json(ledger: Ledger, run_id: str) -> dict[str, Any]:
    """All facts of a run as plain data for `branchlab show --json`; keys stay as they are within one `version`.

    `version`      1
    `run`          id, target, commit, created, status, reason, settings (as the session wrote them)
    `comparison`   verdict, no_signal, metric, direction, caveats, sealed_openings, equal_compute (seconds by arm, spread,
                   tolerance, equal), edits_minus_tuner, and arms: for each the fields of `evals.compare.ArmResult`;
                   gains have mean, low, high, n, method, tie, unpaired
    `kinds`        the fields of `evals.by_kind.KindGain`
    `trials`       the fields of `evals.trial.Trial` in the order they ended, with `title` and `score` (mean over the
                   seeds, null when one has none); runs hold their scores without per-example values, and their logs
    `proposals`    the fields of `evals.trial.ProposalRecord`, diffs included
    `model_cost`   calls, unpriced_calls, input_tokens, output_tokens, dollars

    Raises: LedgerError when there is no such run.
    """
    run = ledger.run(run_id)
    records, defaults = _records(ledger, run_id), _defaults(run.settings)
    comparison = compare(ledger, run_id)
    compared = asdict(comparison)
    for key in ("run", "kinds", "edits"):
        del compared[key]
    compared["equal_compute"]["equal"] = comparison.equal_compute.equal
    trials = ledger.trials(run_id)
    return {
        "version": JSON_VERSION,
        "run": asdict(run),
        "comparison": compared,
        "kinds": [asdict(kind) for kind in comparison.kinds],
        "trials": [_trial_json(trial, trial_title(trial, records, defaults)) for trial in trials],
        "proposals": [asdict(record) for record in records.values()],
        "model_cost": asdict(ledger.model_cost(run_id)),
    }


def _trial_json(trial: Trial, title: str) -> dict[str, Any]:
    plain = asdict(trial) | {"title": title, "score": mean_score(trial)}
    for run in (*plain["runs"], *plain["ladder"]):
        if run["score"]:
            del run["score"]["per_example"]
    return plain


def _records(ledger: Ledger, run_id: str) -> dict[str, ProposalRecord]:
    return {record.id: record for record in ledger.proposals(run_id)}


def _defaults(settings: Any) -> dict[str, Any]:
    return {t["name"]: t["default"] for t in settings.get("tunables", ())}


def _only(trials: Iterable[Trial], prefix: str, run_id: str) -> Trial:
    found = [trial for trial in trials if trial.id.startswith(prefix)] if prefix else []
    exact = [trial for trial in found if trial.id == prefix]
    if len(exact or found) != 1:
        names = ", ".join(trial.id for trial in found[:5]) or "none"
        raise UsageError(
            f"no single trial of run {run_id} begins with {prefix!r}",
            found=names,
            fix=f"`branchlab show {run_id}` lists them",
        )
    return (exact or found)[0]


def _facts(trial: Trial, record: ProposalRecord | None) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    rows = [
        ("trial", trial.id), ("arm, phase", f"{trial.arm}, {trial.phase}"), ("decision", trial.decision),
        ("commit", f"{trial.commit} on {trial.parent[:12]}"), ("charged", f"{trial.device_seconds:.1f} device seconds"),
    ]  # fmt: skip
    if trial.taken_from:
        rows.append(("taken over from", trial.taken_from))
    rows += [(name, f"{value}") for name, value in sorted(trial.params.items())]
    if record:
        claimed = f" (claimed {record.claimed_kind})" if record.claimed_kind != record.kind else ""
        rows += [("kind", record.kind + claimed), ("proposed by", record.proposer), ("why", record.rationale)]
        rows += [("seen at", f"{file}:{line} {note}") for file, line, note in record.evidence]
        rows += [("branch", record.branch)] if record.branch else []
    for name, value in rows:
        grid.add_row(Text(one_line(name, 80)), Text(one_line(value, 2000)))
    return grid


def _verdicts(trial: Trial) -> list[Text]:
    return [
        Text(
            one_line(f"{'passed' if v.passed else 'not passed'}: {v.gate}: {v.reason}", 1000),
            style="" if v.passed else "yellow",
        )
        for v in trial.verdicts
    ]


def _runs(trial: Trial) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("seed", "split", "score", "device", "cpu", "memory", "status", "sandbox"):
        right = name in ("seed", "score", "device", "cpu", "memory")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "status", overflow="fold")
    for run in (*trial.ladder, *trial.runs):
        table.add_row(*(Text(cell) for cell in _run_cells(run)))
    return table


def _run_cells(run: Run) -> tuple[str, ...]:
    status = run.status + (f": {one_line(run.reason)}" if run.reason else "")
    memory = f"{run.peak_memory_mb:.0f} MB" + (_on_gpu(run.gpu) if run.gpu else "")
    return (
        str(run.seed), run.split if run.rung == "full" else f"{run.split}, {run.rung}", number(run.score.value if run.score else None), f"{run.device_seconds:.2f} s",
        f"{run.cpu_seconds:.2f} s", memory, status, one_line(run.backend, 60),
    )  # fmt: skip


def _on_gpu(use: GpuUse) -> str:
    others = max(use.others_at_start, use.others_at_end)
    return f", GPU {use.peak_memory_mb:.0f} MB" + (f" beside {others} of others" if others else "")


def _diff(file: FileDiff) -> list[Text]:
    lines = [Text(f"{file.name}  +{file.added} −{file.removed}", style="bold")]
    signs = {"add": "+", "del": "-", "same": " "}
    for line in file.lines:
        content = visible("".join(text for text, _ in line.parts))
        lines.append(Text(signs.get(line.kind, "") + content, style=_DIFF_STYLES[line.kind]))
    return lines

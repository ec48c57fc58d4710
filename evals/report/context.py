"""The report's last part: the search space, the compute check, the surroundings, and how to do it again."""

import shlex
from datetime import UTC, datetime
from typing import Any

from ..naming import plain
from . import numbers
from .audit import audit_warning
from .facts import Facts
from .page import Table, table
from .text import one_line
from .trivial import trivial_warning


def space(facts: Facts) -> Table:
    rows = [
        [str(t.get("name", "")), _value(t.get("default")), _range(t), str(t.get("rule", ""))]
        for t in facts.entries("tunables")
    ]
    columns = [("tunable", "code"), ("default", "number"), ("range", "text"), ("rule", "text")]
    return table("Everything the tuner could turn", columns, rows)  # type: ignore[arg-type]


def _value(value: Any) -> str:
    return plain(value) if isinstance(value, bool | int | float | str) else numbers.NONE


def _range(tunable: Any) -> str:
    choices = tunable.get("choices")
    if choices:
        return ", ".join(_value(choice) for choice in choices)
    if tunable.get("type") == "bool":
        return "true, false"
    scale = ", log" if tunable.get("log") else ""
    return f"{_value(tunable.get('low'))} to {_value(tunable.get('high'))}{scale}"


def compute(facts: Facts) -> Table:
    check, results = facts.comparison.equal_compute, {arm.arm: arm for arm in facts.comparison.arms}
    rows = []
    for arm, seconds in check.seconds.items():
        whole = results[arm].device_seconds if arm in results else None
        used = f"{seconds / check.allowed:.0%}" if check.allowed else numbers.NONE
        rows.append([arm, numbers.seconds(seconds), used, numbers.seconds(whole)])
    return table(
        "Device seconds charged to each arm",
        [("arm", "arm"), ("search", "number"), ("of what it was allowed", "number"), ("in all", "number")],
        rows,
    )


def compute_check(facts: Facts) -> str:
    check = facts.comparison.equal_compute
    if len(check.seconds) < 2:
        return "Fewer than two arms searched: there is nothing to hold equal."
    if check.equal:
        said = "The arms were charged the same"
    elif check.within:
        said = "No arm went over what each was allowed, and some had nothing left to try and used less"
    else:
        said = "The arms were NOT charged the same"
    allowed = f" Allowed for each: {numbers.seconds(check.allowed)}." if check.allowed is not None else ""
    return (
        f"{said}: their searches differ by {check.spread:.0%} of the largest, where {check.tolerance:.0%} counts as equal "
        f"(an arm stops between trials, never inside one).{allowed} Failed work is charged like any other, and what one "
        "arm takes over from another costs both."
    )


def environment(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Name and value of everything a reader may want to know about where and how the run was made."""
    versions = facts.setting("versions")
    listed = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else ""
    backends = sorted({run.backend for trial in facts.trials for run in trial.runs})
    rows = (
        ("repository", facts.setting("user_repo")),
        ("base commit", facts.comparison.run.commit),
        ("begun", _moment(facts.comparison.run.created)),
        ("status", facts.comparison.run.status),
        ("hardware", facts.setting("hardware")),
        ("python", facts.setting("python")),
        ("versions", listed),
        ("sandbox", ", ".join(backends) or facts.setting("sandbox")),
        ("tuner", _tuner(facts)),
        ("language model", _model(facts)),
        ("search seeds", _seeds(facts.setting("seeds", "search"))),
        ("confirm seeds", _seeds(facts.setting("plan", "confirm_seeds") or facts.setting("seeds", "confirm"))),
        ("noise of the untouched code", _noise(facts)),
        ("one seed run twice", _again(facts)),
        ("budget", _budget(facts)),
        ("proposals", f"{len(facts.proposals)}, of which {_never_ran(facts)} never ran"),
        ("trials", str(len(facts.trials))),
        ("openings of the sealed split", str(facts.comparison.sealed_openings)),
    )
    return tuple((name, str(value) if value not in (None, "") else "not recorded") for name, value in rows)


def _moment(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _model(facts: Facts) -> str:
    cost = facts.model_cost
    if not cost.calls:
        return "none was asked"
    unpriced = f", {cost.unpriced_calls} of unknown price" if cost.unpriced_calls else ""
    tokens = f"{cost.input_tokens:,} tokens in, {cost.output_tokens:,} out"
    return f"{facts.setting('model') or 'unnamed'}: {numbers.count(cost.calls, 'call')}{unpriced}, {tokens}, {numbers.dollars(cost.dollars)}"


def _tuner(facts: Facts) -> str:
    """Sampler, version, start-up and completed trials: without them nobody can say whether the tuner was a fair opponent."""
    startup = facts.setting("tuner", "startup")
    if not isinstance(startup, int):
        return ""
    told = [t for t in facts.trials if t.phase == "search" and t.arm == "tuner" and t.decision != "crash"]
    name, sampler, made_by = (str(facts.setting("tuner", key)) for key in ("name", "sampler", "version"))
    started = f"{numbers.count(startup, 'start-up trial')}, {numbers.count(len(told), 'completed trial')}"
    return f"{name} ({sampler}; {made_by}): {started} in the arm `tuner`"


def _seeds(seeds: Any) -> str:
    return ", ".join(str(seed) for seed in seeds) if isinstance(seeds, list) else ""


def _noise(facts: Facts) -> str:
    sd, n = facts.setting("noise", "sd"), facts.setting("noise", "n")
    return f"standard deviation {sd:.2g} over {n} seeds" if isinstance(sd, int | float) else ""


def _again(facts: Facts) -> str:
    apart = facts.setting("determinism", "difference")
    if not isinstance(apart, int | float):
        return ""
    return f"scores {apart:.3g} apart" if apart else "the same score"


def _budget(facts: Facts) -> str:
    used = sum(arm.device_seconds for arm in facts.comparison.arms)
    plan, jobs = facts.setting("plan", "total"), facts.setting("jobs")
    planned = f"{numbers.seconds(plan)} planned, " if isinstance(plan, int | float) else ""
    slots = f", {numbers.count(jobs, 'slot')}" if isinstance(jobs, int) else ""
    return f"{planned}{numbers.seconds(used)} charged{slots}; what one arm takes over from another is charged to both"


def _never_ran(facts: Facts) -> int:
    return sum(record.commit is None for record in facts.proposals)


def unread(facts: Facts) -> Table:
    rows = [[str(entry.get("file", "")), str(entry.get("reason", ""))] for entry in facts.entries("unread")]
    return table("Files that could not be read", [("file", "code"), ("why", "text")], rows)


def reproduce(facts: Facts) -> tuple[str, ...]:
    """Commands that do the run again, show its rows, and write this report again."""
    settings = facts.settings
    words = ["branchlab", "run", one_line(str(settings.get("target_ref") or facts.comparison.run.target))]
    if isinstance(budget := settings.get("budget_seconds"), int | float):
        words += ["--budget", f"{budget:.0f}s"]
    for option, key in (("--jobs", "jobs"), ("--model", "model")):
        if settings.get(key):
            words += [option, one_line(str(settings[key]))]
    run_id = shlex.quote(one_line(facts.run_id))
    return shlex.join(words), f"branchlab --json show {run_id}", f"branchlab report {run_id}"


def warnings(facts: Facts) -> tuple[str, ...]:
    """What must stand above everything else."""
    backends = {run.backend for trial in facts.trials for run in trial.runs}
    found = []
    if any(backend.startswith("unconfined") for backend in backends):
        found.append(
            "Some of these runs had no sandbox: their code could read labels and change anything on that machine."
        )
    if facts.setting("integrity") == "same-process":
        found.append("integrity: same-process. The code under study reported its own metric.")
    found += [warning for warning in (audit_warning(facts), trivial_warning(facts)) if warning]
    notes = facts.setting("notes")
    return (*found, *(str(note) for note in notes)) if isinstance(notes, list) else tuple(found)


def standing(facts: Facts) -> str:
    """What became of a run that did not end well; empty for one that did."""
    run = facts.comparison.run
    if run.status in ("done", "no_signal", "budget_exhausted"):
        return ""
    return f"This run did not reach its end ({run.status.replace('_', ' ')}{': ' + run.reason if run.reason else ''})."

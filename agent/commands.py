"""What the commands do, between the command line and the parts that do the work."""

import json
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import click

from ..evals.compare import compare
from ..evals.ledger import Ledger
from ..evals.trial import Arm
from ..targets.errors import UsageError
from ..targets.find import find_target
from ..targets.state_folder import check_home, prepare_home
from .lab import Options
from .live import make_view
from .policy import SEARCH_ARMS
from .session import elsewhere, ledger_at, open_review, resume_run, start_run
from .verdict_view import verdict_table

NO_SANDBOX = "unconfined"
Format = Literal["text", "github", "junit"]


class RunOptions(TypedDict, total=False):
    budget: float | None
    jobs: int
    model: str
    sandbox: str
    unsafe_no_sandbox: bool


def run_target(
    ref: str | None,
    home: Path,
    *,
    resume: str | None,
    as_json: bool,
    arms: tuple[Arm, ...] = SEARCH_ARMS,
    **asked: Unpack[RunOptions],
) -> int:
    """A new run, or the rest of an interrupted one; the exit code."""
    if (ref is None) == (resume is None):
        raise UsageError("one of TARGET and --resume RUN is needed", found="both" if ref else "neither")
    home = prepare_home(home)
    with make_view(json=as_json) as view:
        if resume is not None:
            code, run_id = resume_run(known_run(existing_ledger(home), resume), home, view)
        else:
            target = find_target(ref or "", home)
            options = Options(
                budget_seconds=seconds if (seconds := asked.get("budget")) is not None else target.budget,
                jobs=asked.get("jobs", 1),
                sandbox=_sandbox(asked),
                model=asked.get("model", ""),
                arms=arms,
            )
            code, run_id = start_run(ref or "", options, home, view)
    if code == 0 and not as_json:
        from rich.console import Console

        Console().print(verdict_table(compare(ledger_at(home), run_id)))
    return code


def review_branch(
    ref: str, branch: str, home: Path, *, base: str | None, as_json: bool, shown_as: Format, **asked: Unpack[RunOptions]
) -> int:
    """0 when the branch is better and its claim, if it has one, holds; 1 when not."""
    from .review import review
    from .review_output import show_review

    if as_json and shown_as != "text":
        raise UsageError("two formats on one stdout", found=f"--json and --format {shown_as}", fix="leave one out")
    home = prepare_home(home)
    options = Options(budget_seconds=0.0, jobs=asked.get("jobs", 1), sandbox=_sandbox(asked), arms=("review",))
    with make_view(json=as_json) as view, open_review(ref, branch, base, options, (home, view)) as (lab, commit):
        result = review(lab, branch, commit)
    show_review(result, shown_as)
    return 0 if result.passed else 1


def existing_ledger(home: Path) -> Ledger:
    """The home's ledger. Raises: UsageError when nothing was ever run there, or when a repository brought it along."""
    if not elsewhere():
        check_home(home)
    if not elsewhere() and not (home / "ledger.db").exists():
        raise UsageError("nothing was run here yet", where=str(home), fix="branchlab run TARGET, or another --home")
    return ledger_at(home.absolute())


def known_run(ledger: Ledger, prefix: str) -> str:
    """The run a user means by its id, a part of its beginning, or `last`."""
    ids = [record.id for record in ledger.runs()]
    if prefix == "last" and ids:
        return ids[-1]
    found = [run_id for run_id in ids if run_id == prefix] or [run_id for run_id in ids if run_id.startswith(prefix)]
    if len(found) != 1:
        raise UsageError(
            f"no run {prefix}" if not found else f"{prefix} could be {len(found)} runs",
            found=", ".join((found or ids)[-5:]) or "no runs",
            fix="`branchlab show` lists them; `last` is the newest",
        )
    return found[0]


def show_rows(home: Path, run_id: str | None, trial: str | None, *, as_json: bool) -> None:
    from rich.console import Console

    from .runs_view import runs_table
    from .show_view import to_json, trial_detail, trials_table

    ledger = existing_ledger(home)
    console = Console()
    if run_id is None:
        records = ledger.runs()
        if as_json:
            click.echo(
                json.dumps([{"id": r.id, "target": r.target, "status": r.status, "reason": r.reason} for r in records])
            )
        else:
            console.print(runs_table(records))
        return
    name = known_run(ledger, run_id)
    if as_json:
        click.echo(json.dumps(to_json(ledger, name)))
    elif trial is None:
        console.print(trials_table(ledger, name))
    else:
        console.print(trial_detail(ledger, name, trial))


def _sandbox(asked: RunOptions) -> str:
    if asked.get("unsafe_no_sandbox"):
        return NO_SANDBOX
    name = asked.get("sandbox", "auto")
    if name == NO_SANDBOX:
        raise UsageError(
            "running without a sandbox has to be said", found="--sandbox unconfined", fix="--unsafe-no-sandbox"
        )
    return name

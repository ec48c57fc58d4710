"""The command line: one command per stage, no logic.

Exit codes: 0 done, 1 the judged branch is not better or there are findings as sure as `--fail-on`, 2 usage, 3 budget spent
without a verdict, 4 the sandbox or the environment failed, 130 interrupted and resumable.
"""

import json
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from .. import __version__
from ..targets.errors import BranchlabError, UsageError
from ..targets.target import duration

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """Exit codes: 0 done, 1 the judged branch is not better or --fail-on found something, 2 usage, 3 budget spent
without a verdict, 4 the sandbox or the environment failed, 130 interrupted (go on with `branchlab run --resume RUN`)."""


@dataclass(frozen=True, slots=True)
class Context:
    home: Path
    json: bool


class Seconds(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = duration(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is not {error}", param, ctx)
        if not seconds:
            self.fail(f"{value!r} is no time at all", param, ctx)
        return float(cast(float, seconds))


def _exits(command: F) -> F:
    """Turns our errors into one line on stderr and their exit code."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except BranchlabError as error:
            click.echo(f"branchlab: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("branchlab: interrupted", err=True)
            sys.exit(130)
        except BrokenPipeError:
            sys.exit(0)
        except OSError as error:  # a full disk, a folder nobody may write: not a bug, so no traceback
            place = f"{error.filename}: " if error.filename else ""
            line = " ".join(f"{place}{error.strerror or error}".split())
            click.echo(f"branchlab: {line}; fix: free space or rights there, then `branchlab doctor`", err=True)
            sys.exit(BranchlabError.exit_code)
        sys.exit(code or 0)

    return cast(F, run)


@click.group(epilog=EPILOG)
@click.option("--home", type=click.Path(path_type=Path), default=Path(".branchlab"), show_default=True, envvar="BRANCHLAB_HOME",
              help="Folder for the ledger, runs and clones; nothing is written elsewhere.")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Data for machines on stdout, one JSON value or one event a line."
)
@click.version_option(__version__, package_name="branchlab")
@click.pass_context
def main(ctx: click.Context, home: Path, as_json: bool) -> None:
    """Code edits against hyperparameter tuning, at equal compute, on your repository.

    TARGET is the name of a shipped target (digits_faulty, digits_clean, recommender), the name of one drafted by
    `branchlab init`, a folder with a target.toml, or a target.toml.

    \b
    branchlab doctor                      # what works on this machine
    branchlab run digits_faulty --budget 5m --jobs 2
    branchlab init ../my-repo             # then read and adjust the drafted target.toml
    branchlab run my-repo --budget 30m --jobs 2
    """
    ctx.obj = Context(home, as_json)


@main.command()
@click.argument("path_or_url")
@click.option("--commit", help="Base commit; needed for a URL.")
@click.option("--name", help="Name of the target; the repository's own by default.")
@click.pass_obj
@_exits
def init(ctx: Context, path_or_url: str, commit: str | None, name: str | None) -> None:
    """Read a repository and draft its target.toml: entry point, metric, tunables, seeds, protected files.

    The draft is written under the --home folder, never into the repository. It says what is sure and what to check.
    """
    from .initialise import draft

    written = draft(path_or_url, ctx.home, commit=commit, name=name)
    if ctx.json:
        click.echo(json.dumps({"target": written.name, "file": str(written.file)}))
    else:
        click.echo(f"drafted {written.file}\nread it, then: branchlab map {written.name}; branchlab run {written.name}")


@main.command("map")
@click.argument("target", metavar="[TARGET|PATH]", default=".")
@click.option(
    "--findings", is_flag=True, help="Defects only. PATH may be any folder or Python file; nothing in it is run."
)
@click.option(
    "--format", "shown_as", type=click.Choice(["text", "json", "sarif"]), help="How to show findings. [default: text]"
)
@click.option(
    "--fail-on", type=click.Choice(["high", "medium", "low"]), help="Exit code 1 when a finding is at least this sure."
)
@click.pass_obj
@_exits
def map_(ctx: Context, target: str, findings: bool, shown_as: Any, fail_on: Any) -> int:
    """What was understood of the code: modules, roles, tunables with their ranges, findings, files not read."""
    if findings:
        from .findings import show_findings

        return show_findings(target, ctx.home, shown_as=shown_as or ("json" if ctx.json else "text"), fail_on=fail_on)
    if shown_as or fail_on:
        raise UsageError("--format and --fail-on are about findings", fix="add --findings")
    from .mapping import show_map

    show_map(target, ctx.home, as_json=ctx.json)
    return 0


@main.command()
@click.argument("target")
@click.option("--sandbox", default="auto", show_default=True, help="auto, bubblewrap, docker, podman or restricted.")
@click.pass_obj
@_exits
def probe(ctx: Context, target: str, sandbox: str) -> None:
    """Settle what reading suspects by small experiments in the sandbox: confirmed, refuted or unprobed, and why."""
    from .probing import show_probes

    show_probes(target, ctx.home, sandbox=sandbox, as_json=ctx.json)


@main.command()
@click.argument("target", required=False)
@click.option(
    "--budget", type=Seconds(), help="Wall time to spend, such as 30m; times --jobs it is what the arms share."
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Device slots: runs at a time.")
@click.option("--model", default="", help="Language model to propose edits too, by its litellm name; none by default.")
@click.option("--sandbox", default="auto", show_default=True, help="auto, bubblewrap, docker, podman or restricted.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run the code with all your rights. Written into every row.")
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run.")
@click.pass_obj
@_exits
def run(ctx: Context, /, target: str | None, resume: str | None, **options: Any) -> int:
    """Read, propose, branch, run, judge, tune, confirm, report: the whole loop, within one budget.

    Arms: `random` and `tuner` move the tunables of the untouched code, `edits` changes the code, `edits+tuner` tunes
    the best edits, `rerun` runs the untouched code again and again. All get the same device seconds; every run is charged, failed ones included.
    """
    from .commands import run_target

    return run_target(target, ctx.home, resume=resume, as_json=ctx.json, **options)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--times", type=click.IntRange(1, 100), default=1, show_default=True, help="How many repeats to make now."
)
@click.pass_obj
@_exits
def repeat(ctx: Context, run_id: str, times: int) -> int:
    """The same search again: same target, commit, budget and arms, other seeds for tuners and search.

    Curves with intervals, and how often one arm beats another, need several searches. A repeat that was interrupted is
    finished first, and counts. The report of every run of the family shows them together.
    """
    from .repeating import repeat_run

    return repeat_run(run_id, ctx.home, times=times, as_json=ctx.json)


@main.command()
@click.argument("target")
@click.option("--budget", type=Seconds(), help="Wall time to spend, such as 30m.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Device slots: runs at a time.")
@click.option("--sandbox", default="auto", show_default=True, help="auto, bubblewrap, docker, podman or restricted.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run the code with all your rights. Written into every row.")
@click.pass_obj
@_exits
def tune(ctx: Context, /, target: str, **options: Any) -> int:
    """The AutoML arm alone: Optuna's TPE over the tunables found in the code, defaults as trial 0."""
    from .commands import run_target

    return run_target(target, ctx.home, resume=None, as_json=ctx.json, arms=("tuner",), **options)


@main.command()
@click.argument("target")
@click.argument("branch")
@click.option("--base", help="Commit to compare with; the target's base, or where BRANCH left it, by default.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Device slots: runs at a time.")
@click.option("--sandbox", default="auto", show_default=True, help="auto, bubblewrap, docker, podman or restricted.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run the code with all your rights. Written into every row.")
@click.option("--format", "shown_as", type=click.Choice(["text", "github", "junit"]), default="text", show_default=True,
              help="github: a pull-request comment on stdout, and in the job's step summary. junit: JUnit XML on stdout.")  # fmt: skip
@click.pass_obj
@_exits
def review(ctx: Context, /, target: str, branch: str, **options: Any) -> int:
    """Judge one branch, made by anyone, against its base: checks, then paired runs on the confirm seeds.

    When the message of its tip carries a claim (Branchlab- trailers), the claim is measured again here. Exit code 0 when
    the branch is better and its claim holds, 1 when not (a tie is not better), 2 for a malformed claim or a branch that
    does not descend from its base, so a CI job can depend on it.
    """
    from .commands import review_branch

    return review_branch(target, branch, ctx.home, as_json=ctx.json, **options)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--open", "open_it", is_flag=True, help="Open the HTML in a browser.")
@click.pass_obj
@_exits
def report(ctx: Context, run_id: str, open_it: bool) -> None:
    """Write the Markdown and HTML report of a run from the ledger."""
    from ..evals.report import write_report
    from .commands import existing_ledger, known_run

    ledger = existing_ledger(ctx.home)
    name = known_run(ledger, run_id)
    written = write_report(ledger, name, ctx.home.absolute() / "runs" / name)
    click.echo(json.dumps({"html": str(written.html), "markdown": str(written.markdown)}) if ctx.json
               else f"{written.html}\n{written.markdown}")  # fmt: skip
    if open_it and not webbrowser.open(written.html.as_uri()):
        raise UsageError("no browser could be opened", fix=f"open {written.html} by hand")


@main.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.argument("trial", required=False)
@click.pass_obj
@_exits
def show(ctx: Context, run_id: str | None, trial: str | None) -> None:
    """The runs; the trials of one RUN; one TRIAL with its diff, verdicts and log. `--json show` gives all of it as data."""
    from .commands import show_rows

    show_rows(ctx.home, run_id, trial, as_json=ctx.json)


@main.command()
@click.pass_obj
@_exits
def doctor(ctx: Context) -> int:
    """What works here, what does not, and the fix."""
    from .doctor import examine, print_examined

    return print_examined(examine(ctx.home), as_json=ctx.json)

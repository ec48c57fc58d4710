"""`branchlab map --findings`: the defects in a target or in any folder, as text, JSON or SARIF, with an exit code for CI."""

import json
from pathlib import Path
from typing import Literal

import click

from ...targets.checkout import Checkout
from ...targets.find import find_target, shipped
from ...targets.state_folder import prepare_home
from ..proposers.defects.base import Confidence
from .as_json import as_json
from .as_sarif import as_sarif
from .as_text import as_text
from .folder import python_sources
from .report import Report, read_findings

Format = Literal["text", "json", "sarif"]


def show_findings(ref: str, home: Path, *, shown_as: Format, fail_on: Confidence | None) -> int:
    """Prints the findings of `ref`; the exit code: 1 when one is at least as sure as `fail_on`, else 0.

    A target's name means its base commit, and so does the path of a target.toml; any other folder or Python file is read
    as it lies there, without a target, and nothing is written. Paths are then as seen from the working folder.
    """
    report = _read(ref, home)
    if shown_as == "text":
        click.echo(as_text(report))
    else:
        click.echo(json.dumps(as_json(report) if shown_as == "json" else as_sarif(report), indent=1))
    return int(fail_on is not None and report.reach(fail_on))


def _read(ref: str, home: Path) -> Report:
    path = Path(ref).expanduser()
    drafted = (home / "targets" / ref / "target.toml").is_file()
    if ref not in shipped() and not drafted and (path.is_dir() or (path.suffix == ".py" and path.is_file())):
        return read_findings("", *python_sources(path)).below(_prefix(path if path.is_dir() else path.parent))
    home = prepare_home(home)
    with Checkout.open(find_target(ref, home), home) as checkout:
        base = checkout.base
        return read_findings(base, checkout.tree(base), checkout.too_large(base))


def _prefix(folder: Path) -> str:
    """What leads from the working folder to `folder`, so that an editor or code scanning finds the files."""
    here, there = Path.cwd().resolve(), folder.resolve()
    if not there.is_relative_to(here):
        return f"{there.as_posix()}/"
    inside = there.relative_to(here).as_posix()
    return "" if inside == "." else f"{inside}/"

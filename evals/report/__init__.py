"""The report of a run: from the ledger to Markdown and to one self-contained HTML file."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...targets.errors import StateError
from ..ledger import Ledger


@dataclass(frozen=True, slots=True)
class Report:
    html: Path
    markdown: Path


def write_report(ledger: Ledger, run_id: str, folder: Path) -> Report:
    """Where the report was written: `report.html` and `report.md` in `folder`, each replaced whole or not at all.

    Raises:
        LedgerError: no such run.
        StateError: the folder cannot be written.
    """
    from .build import build
    from .render import to_html, to_markdown

    page = build(ledger, run_id)
    report = Report(folder / "report.html", folder / "report.md")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(report.html, to_html(page))
        _replace(report.markdown, to_markdown(page))
    except OSError as error:
        fix = "free space there, or see to its rights"
        found = error.strerror or ""
        raise StateError("the report cannot be written", where=str(folder), found=found, fix=fix) from error
    return report


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)

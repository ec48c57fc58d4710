"""Findings for a person: one line to click on, then why."""

from .report import Report


def as_text(report: Report) -> str:
    """`FILE:LINE: KIND (confidence, action): title`, the reason below it; what was not read, and a count, come last."""
    lines: list[str] = []
    for one in report.findings:
        lines += [
            f"{one.file}:{one.line}: {one.detector} ({one.confidence}, {one.action}): {one.title}",
            f"    {one.rationale}",
        ]
    lines += [f"{one.file}: not read: {one.reason}" for one in report.unread]
    files = {one.file for one in report.findings}
    total = f"findings: {len(report.findings)}, files with findings: {len(files)}, files read: {report.files_read}"
    return "\n".join(_printable(line) for line in [*lines, total])


def _printable(text: str) -> str:
    """Repository text without control characters: it must not steer the terminal, nor start a line of its own."""
    return "".join(c if c.isprintable() else " " for c in text)

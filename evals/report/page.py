"""What a report holds, before anyone decides how it looks: plain text and tables, none of it escaped or marked up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from .diff import FileDiff

CellStyle = Literal["text", "number", "code", "arm"]


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    style: CellStyle = "text"


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    """Says what the table holds to those who cannot see where it stands."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def table(caption: str, columns: Sequence[tuple[str, CellStyle]], rows: Sequence[Sequence[str]]) -> Table:
    return Table(caption, tuple(Column(*column) for column in columns), tuple(tuple(row) for row in rows))


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture at two widths, and in words what it shows."""

    wide: str
    narrow: str
    caption: str


@dataclass(frozen=True, slots=True)
class Highlight:
    """A number worth a large font."""

    label: str
    value: str
    interval: str
    cost: str
    arm: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A kept edit."""

    number: int
    title: str
    kind: str
    """As proved on the syntax tree."""
    origin: str
    """Who proposed it, and whether the kind was another than claimed."""
    rationale: str
    evidence: tuple[tuple[str, str], ...]
    """Place in the code, and what was seen there."""
    numbers: Table
    verdicts: tuple[str, ...]
    diff: str
    files: tuple[FileDiff, ...]
    branch: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crash:
    title: str
    arm: str
    reason: str
    log: str


@dataclass(frozen=True, slots=True)
class Page:
    target: str
    run_id: str
    verdict: str
    standing: str
    """Empty for a run that ended well; else what became of it."""
    integrity: str
    warnings: tuple[str, ...]
    audit_note: str
    audit: Table
    trivial_note: str
    trivial: Table
    highlights: tuple[Highlight, ...]
    arms: Table
    method: str
    """How the intervals were made."""
    forest: Figure
    growth: Figure
    growth_table: Table
    shares: Table
    shares_said: str
    growth_axes: tuple[Table, ...]
    repeats: tuple[Table, ...]
    """Of the whole search, together; empty for a run without any."""
    repeats_lead: str
    repeats_figure: Figure
    guards: Table
    kinds: Table
    branches: tuple[Branch, ...]
    discarded: Table
    refused: Table
    crashes: tuple[Crash, ...]
    space: Table
    compute: Table
    compute_check: str
    rungs: str
    """What the rungs were; empty for a run without any, which shows none of the next three."""
    promotions: Table
    scaled: Table
    without_scale_up: str
    caveats: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    unread: Table
    reproduce: tuple[str, ...]
    written: str = ""
    omitted: dict[str, int] = field(default_factory=dict)
    """Rows left out of a long list, by its name; the ledger has them."""

"""`branchlab show` without a run: every run of the ledger, one a row."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from ..evals.ledger import RunRecord


def runs_table(records: Sequence[RunRecord]) -> Table:
    """In the order they began."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("run", "began (UTC)", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("outcome", ratio=1, overflow="fold")
    for record in records:
        began = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M")
        cells = (record.id, began, record.status, record.reason)
        table.add_row(*(Text("".join(c if c.isprintable() else "·" for c in cell)) for cell in cells))
    return table

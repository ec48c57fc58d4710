"""Device time that is in no trial's row: rows of the table `device_charges`, written within a transaction of the ledger.

A trial that runs is metered: one row, raised as time passes. It ends in one of two ways, each a single transaction, so that
no second is charged twice and none is forgotten: the trial's own row takes its place, or it stays, as cut off.
"""

import sqlalchemy as sa

from . import schema
from .rows import to_text
from .trial import Arm

CUT_OFF = "cut off by a stop"
CARD = "trivial baselines"
"""Of the card that is made beside the baseline's runs: no trial, and not lost."""
PROBES = "probes"
"""Of the small experiments that settle findings before they are tried: the edits arm's, no trial, and not lost."""


def add(connection: sa.Connection, run_id: str, arm: Arm, seconds: float, purpose: str) -> None:
    values = {"run_id": run_id, "arm": arm, "seconds": seconds, "purpose": to_text(purpose)}
    connection.execute(schema.device_charges.insert().values(values))


def meter(connection: sa.Connection, run_id: str, trial_id: str, arm: Arm, seconds: float) -> None:
    """The trial has run for so many seconds, and has not ended."""
    changed = schema.device_charges.update().where(_open(run_id, trial_id)).values(seconds=seconds)
    if not connection.execute(changed).rowcount:
        add(connection, run_id, arm, seconds, _purpose(trial_id))


def close(connection: sa.Connection, run_id: str, trial_id: str) -> None:
    """The trial's metered seconds are charged in another row of this transaction."""
    connection.execute(schema.device_charges.delete().where(_open(run_id, trial_id)))


def settle(connection: sa.Connection, run_id: str) -> None:
    """Every metered trial of the run was cut off."""
    table = schema.device_charges
    running = table.c.purpose.startswith(to_text(_purpose(""))[:-1], autoescape=True)
    changed = table.update().where(table.c.run_id == run_id, running)
    connection.execute(changed.values(purpose=to_text(CUT_OFF)))


def sums(connection: sa.Connection, run_id: str, seconds: sa.Column[float], *but: str) -> dict[Arm, float]:
    """Sum of a column of seconds by arm; rows of the purposes `but` are left out."""
    table = seconds.table
    query = sa.select(table.c.arm, sa.func.sum(seconds).label("seconds")).where(table.c.run_id == run_id)
    if but:
        query = query.where(table.c.purpose.not_in([to_text(purpose) for purpose in but]))
    return {row.arm: row.seconds for row in connection.execute(query.group_by(table.c.arm))}


def _open(run_id: str, trial_id: str) -> sa.ColumnElement[bool]:
    table = schema.device_charges
    return sa.and_(table.c.run_id == run_id, table.c.purpose == to_text(_purpose(trial_id)))


def _purpose(trial_id: str) -> str:
    return f"running {trial_id}"

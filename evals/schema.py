"""The ledger's tables, and the check that a database is a ledger of this version.

Names are prefixed: a PostgreSQL database is often shared, and Optuna too has a table called `trials`. Columns hold what
is asked for by name; everything else is one JSON text, so that a new field of a row needs no new schema.
"""

import sqlalchemy as sa

from ..targets.errors import LedgerError

VERSION = 1
_ADVISORY_LOCK = 0x6272_6C61
"""Any constant of our own: two processes that open an empty PostgreSQL database create its tables one after the other."""

metadata = sa.MetaData()


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(f"branchlab_{name}", metadata, *columns)


schema = _table("schema", sa.Column("version", sa.Integer, nullable=False))

runs = _table(
    "runs",
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
)

trials = _table(
    "trials",
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("device_seconds", sa.Double, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("per_example", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("run_id", "id"),
)

proposals = _table(
    "proposals",
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("run_id", "id"),
)

model_calls = _table(
    "model_calls",
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("dollars", sa.Double),
)

device_charges = _table(
    "device_charges",
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
)

seals = _table(
    "seals",
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("openings", sa.Integer, nullable=False),
)


def prepare(connection: sa.Connection, where: str) -> None:
    """Create the tables in an empty database, or check that it is a ledger of this version.

    Raises: LedgerError when the database belongs to another program or another version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    names = sa.inspect(connection).get_table_names()
    if schema.name not in names:
        if names and connection.dialect.name == "sqlite":
            raise LedgerError("not a branchlab ledger", found=f"a database with table {names[0]}", where=where)
        metadata.create_all(connection)
        connection.execute(schema.insert().values(version=VERSION))
    found = connection.execute(sa.select(schema.c.version)).scalars().all()
    if found != [VERSION]:
        raise LedgerError(
            "the ledger was written by another version of branchlab",
            wanted=f"schema {VERSION}",
            found=f"schema {', '.join(map(str, found)) or 'none'}",
            where=where,
            fix="use the version that wrote it, or start a new ledger",
        )

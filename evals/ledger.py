"""Every run, failed ones included, ends as a row here. `compare` and `report` read the ledger and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ..targets.errors import LedgerError
from . import charges, schema
from .rows import RunRecord as RunRecord
from .rows import (
    RunStatus,
    decode_proposal,
    decode_run,
    decode_trial,
    encode_proposal,
    encode_run,
    encode_trial,
    to_text,
)
from .trial import Arm, Phase, ProposalRecord, Trial

BUSY_SECONDS = 30.0
"""How long one process waits for another's transaction; each lasts milliseconds."""
RESUMABLE: tuple[RunStatus, ...] = ("running", "interrupted")


class ModelCall(TypedDict):
    """One call of a language model; `dollars` is None when its price is not known."""

    model: str
    input_tokens: int
    output_tokens: int
    dollars: float | None
    purpose: str


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What language models were paid. `dollars` leaves out the calls whose price nobody knows: they are counted."""

    calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    dollars: float


class Ledger:
    """Safe from several threads and several processes. Each method is one transaction: all of it is kept, or nothing.

    Raises: LedgerError from every method when the database cannot be read or written; nothing earlier is lost.
    """

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine = engine
        self._where = where

    @classmethod
    def open(cls, url: str) -> "Ledger":
        """The ledger at `sqlite:///PATH` or `postgresql://...`; its tables are made when the database is empty.

        Raises: LedgerError for a bad URL, a database that cannot be opened, another schema version.
        """
        engine = _engine(url)
        ledger = cls(engine, engine.url.render_as_string(hide_password=True))
        try:
            with ledger._write() as connection:
                schema.prepare(connection, ledger._where)
        except LedgerError:
            engine.dispose()
            raise
        return ledger

    @property
    def where(self) -> str:
        """Its file, or its URL without the password."""
        url = self._engine.url
        return str(url.database) if url.get_backend_name() == "sqlite" else self._where

    def close(self) -> None:
        self._engine.dispose()

    # runs

    def start_run(self, run: RunRecord) -> None:
        """Raises: LedgerError when another run of this id is there already."""
        with self._write() as connection:
            self._insert(connection, schema.runs, id=run.id, body=encode_run(run))
            if connection.execute(_body_of(run.id)).scalar_one() != encode_run(run):
                raise LedgerError(f"run {run.id} already exists", where=self._where)

    def run(self, run_id: str) -> RunRecord:
        """Raises: LedgerError when there is no such run."""
        with self._read() as connection:
            return self._run(connection, run_id)

    def runs(self) -> list[RunRecord]:
        with self._read() as connection:
            rows = connection.execute(sa.select(schema.runs.c.body).order_by(schema.runs.c.seq)).scalars()
            return [decode_run(body) for body in rows]

    def set_status(self, run_id: str, status: RunStatus, reason: str = "") -> None:
        with self._write() as connection:
            run = self._run(connection, run_id, lock=True)
            self._replace_run(connection, replace(run, status=status, reason=reason))

    def update_settings(self, run_id: str, **settings: Any) -> None:
        with self._write() as connection:
            run = self._run(connection, run_id, lock=True)
            self._replace_run(connection, replace(run, settings={**run.settings, **settings}))

    # trials

    def add_trial(self, trial: Trial) -> None:
        """Keep a trial. One of this id that is there already stays as it is: a repeated step changes nothing."""
        body, per_example = encode_trial(trial)
        with self._write() as connection:
            self._insert(
                connection,
                schema.trials,
                run_id=trial.run_id,
                id=trial.id,
                arm=trial.arm,
                phase=trial.phase,
                device_seconds=trial.device_seconds,
                body=body,
                per_example=per_example,
            )
            charges.close(connection, trial.run_id, trial.id)

    def trial(self, run_id: str, trial_id: str) -> Trial | None:
        table = schema.trials
        query = sa.select(table.c.body, table.c.per_example).where(table.c.run_id == run_id, table.c.id == trial_id)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        return decode_trial(row.body, row.per_example) if row else None

    def trials(self, run_id: str, *, arm: Arm | None = None, phase: Phase | None = None) -> list[Trial]:
        """Trials in the order they were added."""
        table = schema.trials
        query = sa.select(table.c.body, table.c.per_example).where(table.c.run_id == run_id).order_by(table.c.seq)
        if arm is not None:
            query = query.where(table.c.arm == arm)
        if phase is not None:
            query = query.where(table.c.phase == phase)
        with self._read() as connection:
            rows = connection.execute(query).all()
        return [decode_trial(row.body, row.per_example) for row in rows]

    # proposals

    def add_proposal(self, record: ProposalRecord) -> None:
        """Keep a proposal, tried or not; one of this id that is there already stays as it is."""
        with self._write() as connection:
            body = encode_proposal(record)
            self._insert(connection, schema.proposals, run_id=record.run_id, id=record.id, body=body)

    def keep_answer(self, run_id: str, refused: Sequence[ProposalRecord], **settings: Any) -> None:
        """All that came of one answer of a language model, or none of it: what can never run, and the settings."""
        with self._write() as connection:
            for record in refused:
                body = encode_proposal(record)
                self._insert(connection, schema.proposals, run_id=run_id, id=record.id, body=body)
            run = self._run(connection, run_id, lock=True)
            self._replace_run(connection, replace(run, settings={**run.settings, **settings}))

    def update_proposal(self, run_id: str, proposal_id: str, **changes: Any) -> ProposalRecord:
        """The record with these fields changed, as its road goes on: commit, diff, kind, outcome, branch.

        Raises: LedgerError when there is no such proposal.
        """
        table = schema.proposals
        which = sa.and_(table.c.run_id == run_id, table.c.id == proposal_id)
        with self._write() as connection:
            body = connection.execute(sa.select(table.c.body).where(which).with_for_update()).scalar_one_or_none()
            if body is None:
                raise LedgerError(f"no proposal {proposal_id} in run {run_id}", where=self._where)
            record = replace(decode_proposal(body), **changes)
            connection.execute(table.update().where(which).values(body=encode_proposal(record)))
            return record

    def set_branch(self, run_id: str, proposal_id: str, branch: str) -> None:
        """Raises: LedgerError when there is no such proposal."""
        self.update_proposal(run_id, proposal_id, branch=branch)

    def proposal(self, run_id: str, proposal_id: str) -> ProposalRecord | None:
        table = schema.proposals
        query = sa.select(table.c.body).where(table.c.run_id == run_id, table.c.id == proposal_id)
        with self._read() as connection:
            body = connection.execute(query).scalar_one_or_none()
        return decode_proposal(body) if body is not None else None

    def proposals(self, run_id: str) -> list[ProposalRecord]:
        """Proposals in the order they were added."""
        table = schema.proposals
        query = sa.select(table.c.body).where(table.c.run_id == run_id).order_by(table.c.seq)
        with self._read() as connection:
            return [decode_proposal(body) for body in connection.execute(query).scalars()]

    # cost

    def charge_model(self, run_id: str, arm: Arm, **call: Unpack[ModelCall]) -> None:
        """Charge one call of a language model."""
        values = {**call, "model": to_text(call["model"]), "purpose": to_text(call["purpose"])}
        with self._write() as connection:
            connection.execute(schema.model_calls.insert().values(run_id=run_id, arm=arm, **values))

    def model_cost(self, run_id: str, arm: Arm | None = None) -> ModelCost:
        """What models cost this run, or one arm of it."""
        table = schema.model_calls
        total = sa.func.coalesce
        query = sa.select(
            sa.func.count(),
            sa.func.count() - sa.func.count(table.c.dollars),
            total(sa.func.sum(table.c.input_tokens), 0),
            total(sa.func.sum(table.c.output_tokens), 0),
            total(sa.func.sum(table.c.dollars), 0.0),
        ).where(table.c.run_id == run_id)
        if arm is not None:
            query = query.where(table.c.arm == arm)
        with self._read() as connection:
            calls, unpriced, tokens_in, tokens_out, dollars = connection.execute(query).one()
        return ModelCost(calls, unpriced, int(tokens_in), int(tokens_out), float(dollars))

    def charge_device(self, run_id: str, arm: Arm, *, seconds: float, purpose: str) -> None:
        """Charge device time that left no trial: a run that the sandbox failed."""
        with self._write() as connection:
            charges.add(connection, run_id, arm, seconds, purpose)

    def meter(self, run_id: str, running: Mapping[str, tuple[Arm, float]]) -> None:
        """Charge unfinished trials, by id, the seconds they have run so far; the row of such a trial takes their place."""
        with self._write() as connection:
            for trial_id, (arm, seconds) in running.items():
                charges.meter(connection, run_id, trial_id, arm, seconds)

    def cut_off(self, run_id: str, trial_id: str, arm: Arm, seconds: float) -> None:
        """Charge a trial that a stop cut off its seconds, for good: no later row takes their place."""
        with self._write() as connection:
            charges.close(connection, run_id, trial_id)
            charges.add(connection, run_id, arm, seconds, charges.CUT_OFF)

    def keep_card(self, run_id: str, seconds: float, **settings: Any) -> None:
        """The card of trivial baselines and what it cost, in the place of what was metered while it was made."""
        self.keep_beside(run_id, ("baseline", charges.CARD), seconds, **settings)

    def keep_beside(self, run_id: str, whose: tuple[Arm, str], seconds: float, **settings: Any) -> None:
        """Settings that took device time but are no trial. `whose`: the arm that pays, and the purpose it was metered as."""
        with self._write() as connection:
            charges.close(connection, run_id, whose[1])
            charges.add(connection, run_id, whose[0], seconds, whose[1])
            run = self._run(connection, run_id, lock=True)
            self._replace_run(connection, replace(run, settings={**run.settings, **settings}))

    def settle(self, run_id: str) -> None:
        """What a killed process had metered is charged for good."""
        with self._write() as connection:
            charges.settle(connection, run_id)

    def device_seconds(self, run_id: str) -> dict[Arm, float]:
        """Seconds charged to each arm: every trial, whatever came of it, and what left none."""
        with self._read() as connection:
            spent = charges.sums(connection, run_id, schema.trials.c.device_seconds)
            for arm, seconds in charges.sums(connection, run_id, schema.device_charges.c.seconds).items():
                spent[arm] = spent.get(arm, 0.0) + seconds
        return spent

    def lost_seconds(self, run_id: str) -> dict[Arm, float]:
        """Of `device_seconds`, those that left nothing."""
        with self._read() as connection:
            return charges.sums(connection, run_id, schema.device_charges.c.seconds, charges.CARD, charges.PROBES)

    # the sealed split

    def open_sealed(self, run_id: str) -> None:
        """Count an opening of the sealed split.

        A crash between opening and the last sealed trial may be resumed: the re-entry is counted. Once everything that
        was confirmed has its sealed run, or the run has ended, the split stays closed.

        Raises: LedgerError when the sealed trials of this run are complete.
        """
        with self._write() as connection:
            run = self._run(connection, run_id, lock=True)
            opened = self._openings(connection, run_id)
            if opened and (run.status not in RESUMABLE or self._sealed_complete(connection, run_id)):
                raise LedgerError(
                    f"the sealed split of run {run_id} was opened before and its result is in the ledger",
                    where=self._where,
                    fix="read the result with `branchlab show`, or start a new run",
                )
            if opened:
                values = schema.seals.update().where(schema.seals.c.run_id == run_id)
                connection.execute(values.values(openings=opened + 1))
            else:
                connection.execute(schema.seals.insert().values(run_id=run_id, openings=1))

    def sealed_openings(self, run_id: str) -> int:
        """How often the sealed split was opened, re-entries after a crash included."""
        with self._read() as connection:
            return self._openings(connection, run_id)

    # inside

    def _openings(self, connection: sa.Connection, run_id: str) -> int:
        query = sa.select(schema.seals.c.openings).where(schema.seals.c.run_id == run_id)
        return connection.execute(query).scalar_one_or_none() or 0

    def _sealed_complete(self, connection: sa.Connection, run_id: str) -> bool:
        table = schema.trials
        query = sa.select(table.c.body, table.c.per_example).where(table.c.run_id == run_id)
        done: dict[Phase, set[tuple[Arm, int]]] = {"confirm": set(), "sealed": set()}
        for row in connection.execute(query.where(table.c.phase.in_(done))):
            trial = decode_trial(row.body, row.per_example)
            done[trial.phase].update((trial.arm, run.seed) for run in trial.runs)
        return bool(done["sealed"]) and done["confirm"] <= done["sealed"]

    def _run(self, connection: sa.Connection, run_id: str, *, lock: bool = False) -> RunRecord:
        query = _body_of(run_id)
        body = connection.execute(query.with_for_update() if lock else query).scalar_one_or_none()
        if body is None:
            raise LedgerError(f"no run {run_id}", where=self._where, fix="`branchlab show` lists the runs")
        return decode_run(body)

    def _replace_run(self, connection: sa.Connection, run: RunRecord) -> None:
        connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(body=encode_run(run)))

    def _insert(self, connection: sa.Connection, table: sa.Table, **values: object) -> None:
        """Insert a row unless one of its key is there."""
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).values(values).on_conflict_do_nothing())

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        # A read must not wait for writers: it sees the last finished transaction.
        with self._translated(), self._engine.execution_options(begin="BEGIN").begin() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # The driver's own words only: SQLAlchemy's text repeats the statement and its parameters.
            found = str(getattr(error, "orig", None) or error)
            raise LedgerError(
                "the ledger cannot be used", found=found, where=self._where, fix="check space, rights and the file"
            ) from error


def _body_of(run_id: str) -> sa.Select[Any]:
    return sa.select(schema.runs.c.body).where(schema.runs.c.id == run_id)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise LedgerError("a ledger is SQLite or PostgreSQL", found=parsed.drivername)
        if parsed.get_backend_name() == "postgresql":
            return sa.create_engine(parsed)
        if not parsed.database or parsed.database == ":memory:":
            raise LedgerError("a ledger must outlive its process", wanted="sqlite:///PATH", found=url)
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError("not a ledger URL", wanted="sqlite:///PATH or postgresql://...", found=str(error)) from error
    except ModuleNotFoundError as error:
        raise LedgerError(f"{error.name} is not installed", fix="pip install 'branchlab[postgres]'") from error
    except OSError as error:
        raise LedgerError("the ledger's folder cannot be made", found=str(error)) from error
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not guessed by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a finished trial survives a power cut
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes the lock at once: upgrading a read in mid-transaction fails without waiting ("database is locked").
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))

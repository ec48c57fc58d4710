"""Packed records by content, in one SQLite file of the state folder. It can be deleted at any time.

Several processes may use it at once: SQLite locks, and a record depends on nothing but its key, so that it does not matter
who writes it. Whatever is wrong with the file costs time and nothing else.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

MARK = 0x62724C78
"""SQLite's application id of our files."""
MAX_BYTES = 512 << 20
"""A larger file is made anew: contents of old commits are never asked for again, and nothing tells which those are."""
WAIT = 30.0
"""Seconds to wait for another process that writes."""
_ASK = 500
"""Keys in one question; SQLite has a limit."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (blob TEXT NOT NULL, analyser TEXT NOT NULL, record BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS facts_key ON facts (blob, analyser);
"""


class FactCache:
    """Records that were kept; in memory alone without a place, or when the place cannot be used."""

    notes: list[str]
    """What was wrong with the file, in sentences."""

    def __init__(self, place: Path | None) -> None:
        self.notes = []
        self._held: dict[tuple[str, str], bytes] = {}
        self._place = place
        self._base: sqlite3.Connection | None = None
        if place is not None:
            self._open(place)

    def known(self, analyser: str, blobs: Iterable[str]) -> set[str]:
        """Those of `blobs` that have a record."""
        rows = self._ask("SELECT blob FROM facts WHERE analyser = ? AND blob IN ", analyser, blobs)
        found = {blob for (blob,) in rows}
        return found | {blob for blob, by in self._held if by == analyser}

    def get(self, analyser: str, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The records of `blobs`, in no order; a blob without one is left out."""
        rows = self._ask("SELECT blob, record FROM facts WHERE analyser = ? AND blob IN ", analyser, blobs)
        yield from ((blob, record) for blob, record in rows)
        yield from ((blob, self._held[blob, analyser]) for blob in blobs if (blob, analyser) in self._held)

    def put(self, analyser: str, rows: Sequence[tuple[str, bytes]]) -> None:
        if self._base is not None:
            try:
                with self._base:
                    self._base.executemany(
                        "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", ((blob, analyser, data) for blob, data in rows)
                    )
                return
            except sqlite3.Error as error:
                self._give_up(error)
        self._held |= {(blob, analyser): data for blob, data in rows}

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def _open(self, place: Path) -> None:
        try:
            if place.is_symlink() or (place.exists() and place.stat().st_size > MAX_BYTES):
                self._remove(place)
            self._base = self._connect(place)
        except sqlite3.OperationalError as error:
            self._give_up(error)
        except sqlite3.DatabaseError as error:
            try:
                self._remove(place)
                self._base = self._connect(place)
                self.notes.append(f"the index of facts was not usable ({error}) and is made anew: {place}")
            except (sqlite3.Error, OSError) as again:
                self._give_up(again)
        except OSError as error:
            self._give_up(error)

    def _connect(self, place: Path) -> sqlite3.Connection:
        """Raises: sqlite3.DatabaseError for a file that is damaged, or that is another program's."""
        base = sqlite3.connect(place, timeout=WAIT)
        try:
            tables = base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and base.execute("PRAGMA application_id").fetchone()[0] != MARK:
                raise sqlite3.DatabaseError("another program's file")
            if not tables:
                base.execute(f"PRAGMA application_id = {MARK}")
                base.executescript(SCHEMA)
            base.execute("PRAGMA synchronous = OFF")  # after a power cut it may be damaged, and is made anew
            base.execute("SELECT blob, analyser, record FROM facts LIMIT 1").fetchall()
        except sqlite3.Error as error:
            base.close()
            if "no such" in str(error):
                raise sqlite3.DatabaseError("other tables than ours") from error
            raise
        return base

    def _ask(self, question: str, analyser: str, blobs: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        """Rows as far as they can be read: what is missing is made again."""
        rest = iter(blobs)
        while self._base is not None and (some := list(islice(rest, _ASK))):
            marks = ",".join("?" * len(some))
            try:
                rows = self._base.execute(f"{question}({marks})", (analyser, *some)).fetchall()
            except sqlite3.Error as error:
                self._start_again(error)
                return
            yield from rows

    def _start_again(self, error: sqlite3.Error) -> None:
        self.close()
        if isinstance(error, sqlite3.OperationalError) or self._place is None:
            self._give_up(error)
            return
        try:
            self._remove(self._place)
            self._base = self._connect(self._place)
            self.notes.append(f"the index of facts was damaged ({error}) and is made anew: {self._place}")
        except (sqlite3.Error, OSError) as again:
            self._give_up(again)

    def _give_up(self, error: Exception) -> None:
        self.close()
        self.notes.append(f"facts are not kept for the next time: {self._place}: {error}")

    @staticmethod
    def _remove(place: Path) -> None:
        for path in (place, place.with_name(f"{place.name}-journal")):
            path.unlink(missing_ok=True)

"""Facts of files by content: from the cache where it has them, else from reading, which fills the cache."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ...targets.state_folder import prepare_home
from ..facts import FileFacts, Level
from .analysis import analyser, unpack
from .cache import FactCache
from .pool import Read, analyse_all, cores

NAME = "facts.sqlite"
_KEEP = 256
"""Records written at a time: an interrupted reading of a large repository goes on from there."""


class FactIndex:
    """Not for two threads at once; for as many processes as like."""

    def __init__(self, place: Path | None = None, *, processes: int | None = None) -> None:
        """`place`: the SQLite file; without one nothing outlives this object."""
        self._cache = FactCache(place)
        self._processes = processes or min(2, cores())
        self._damaged = 0

    @classmethod
    def below(cls, home: Path) -> "FactIndex":
        """The index of a state folder. Raises: TargetError when the folder is not ours to use."""
        return cls(prepare_home(home) / NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._cache.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: a cache that was damaged, or that cannot be written."""
        damaged = f"{self._damaged} damaged records of the index of facts were made anew"
        return (*self._cache.notes, *([damaged] if self._damaged else []))

    def update(self, level: Level, blobs: Iterable[str], read: Read) -> int:
        """Reads the contents that have no record yet; how many those were.

        `blobs`: git blob ids. `read`: the content of one; may be called from two threads at once.
        """
        version = analyser(level)
        wanted = dict.fromkeys(blobs)
        known = self._cache.known(version, wanted)
        missing = [blob for blob in wanted if blob not in known]
        rows: list[tuple[str, bytes]] = []
        for row in analyse_all(level, missing, read, self._processes):
            rows.append(row)
            if len(rows) >= _KEEP:
                self._cache.put(version, rows)
                rows = []
        if rows:
            self._cache.put(version, rows)
        return len(missing)

    def facts(
        self, level: Level, files: Mapping[str, str], contents: Mapping[str, bytes]
    ) -> Iterator[tuple[str, FileFacts | str]]:
        """Facts of each file, or why there are none, in no order. `files`: blob id by path; `contents`: bytes by path."""
        paths: dict[str, list[str]] = {}
        for path, blob in files.items():
            paths.setdefault(blob, []).append(path)
        self.update(level, paths, lambda blob: contents[paths[blob][0]])
        yield from self._placed(level, paths)
        if lost := {blob: at for blob, at in paths.items() if at}:  # damaged, or gone between the two questions
            rows = analyse_all(level, list(lost), lambda blob: contents[lost[blob][0]], 1)
            self._cache.put(analyser(level), list(rows))
            yield from self._placed(level, lost)

    def _placed(self, level: Level, paths: dict[str, list[str]]) -> Iterator[tuple[str, FileFacts | str]]:
        """What the cache has of `paths`; emptied there as it is handed out."""
        blobs: Sequence[str] = tuple(paths)
        for blob, packed in self._cache.get(analyser(level), blobs):
            try:
                record = unpack(packed)
                placed = [
                    (path, record if isinstance(record, str) else record.placed(path, level)) for path in paths[blob]
                ]
            except (ValueError, TypeError, AttributeError):
                self._damaged += 1
                continue
            paths[blob] = []
            yield from placed

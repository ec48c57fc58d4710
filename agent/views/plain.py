"""One plain line for each event: for logs, pipes and CI."""

import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Self, TextIO

from ...evals.report.text import one_line
from ..events import Event, RunFinished
from .sentences import sentence


class Plain:
    """Writes `MM:SS sentence` lines, flushed one by one, so that the last line seen is the last thing that happened."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._begin = clock()
        self._lock = Lock()

    def handle(self, event: Event) -> None:
        lines = [line for line in (sentence(event), *_extra(event)) if line]
        if not lines:
            return
        with self._lock:
            minutes, seconds = divmod(int(self._clock() - self._begin), 60)
            encoding = self._stream.encoding or "utf-8"
            for line in lines:
                shown = line.encode(encoding, "replace").decode(encoding)
                self._stream.write(f"{minutes:02}:{seconds:02} {shown}\n")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def _extra(event: Event) -> tuple[str, ...]:
    if not isinstance(event, RunFinished):
        return ()
    named = [("branch", name) for name in event.branches] + [("report", path) for path in event.reports]
    if event.ledger:
        named.append(("ledger", event.ledger))
    return tuple(f"{what}: {one_line(where, 1000)}" for what, where in named)

"""One JSON object a line for each event: `{"event": "TrialFinished", "at": ..., ...fields}`."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from threading import Lock
from types import TracebackType
from typing import Self, TextIO

from ..events import Event


class JsonLines:
    """Keys are the fields of `agent/events.py`, `event` is the class's name and `at` is seconds since the epoch.

    ASCII only, so that no character of a title reaches a terminal raw; a number that is not finite is null.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = Lock()

    def handle(self, event: Event) -> None:
        fields = {key: _plain(value) for key, value in asdict(event).items()}
        with self._lock:
            row = {"event": type(event).__name__, "at": round(self._clock(), 3), **fields}
            self._stream.write(json.dumps(row, allow_nan=False).replace("\x7f", "\\u007f") + "\n")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value

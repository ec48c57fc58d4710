"""Lossless trees of files, parsed when they are asked for: a tree takes some two hundred times the memory of its text."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libcst as cst

MAX_BYTES = 300_000
"""Source whose trees are kept at a time, about 7,000 lines; the file asked for last is kept whatever its size."""


class Trees:
    """The trees asked for last. Safe for several threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._kept: OrderedDict[str, tuple[int, cst.Module]] = OrderedDict()
        self._max_bytes = max_bytes
        self._lock = Lock()

    def of(self, file: str, read: "Callable[[], bytes]") -> "cst.Module":
        """The tree of a file that libcst is known to read without loss."""
        import libcst as cst

        with self._lock:
            if file in self._kept:
                self._kept.move_to_end(file)
                return self._kept[file][1]
            data = read()
            module = cst.parse_module(data)
            self._kept[file] = (len(data), module)
            while len(self._kept) > 1 and sum(size for size, _ in self._kept.values()) > self._max_bytes:
                self._kept.popitem(last=False)
            return module

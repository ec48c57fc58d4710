"""What a run printed, in bounded memory: the head and the tail are kept, the middle is counted and dropped."""

import unicodedata

KEPT_CONTROLS = "\n\t"


def printable(text: str) -> str:
    """The text without control, format and surrogate characters, so that no escape sequence or direction override
    reaches a terminal, a log or a prompt. Newlines and tabs stay; carriage returns become newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c in KEPT_CONTROLS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))


class OutputRing:
    """Keeps the first and the last `limit_bytes / 2` of a stream of any length."""

    def __init__(self, limit_bytes: int) -> None:
        self._half = max(1, limit_bytes // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def feed(self, data: bytes) -> None:
        self.total += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        # Trimmed only at twice the size, so that a flood of small writes does not move the bytes each time.
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def truncated(self) -> bool:
        return self.total > 2 * self._half

    def texts(self) -> tuple[str, str]:
        """Head and tail, decoded with replacement and stripped; the tail is empty when nothing was dropped."""
        tail = bytes(self._tail[-self._half :])
        if not self.truncated:
            return _decode(bytes(self._head) + tail), ""
        return _decode(bytes(self._head)), _decode(tail)


def _decode(data: bytes) -> str:
    return printable(data.decode("utf-8", errors="replace"))

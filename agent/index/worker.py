"""The second process of a cold reading: contents in by stdin, packed records out by stdout, in batches.

A batch is a count, then for each content its level, its length and its bytes; the answer is a length and the bytes of each
record. A batch is taken in whole before the first answer, so that neither side can wait for the other with a full pipe.
"""

import struct
import sys
from typing import BinaryIO

from .analysis import LEVELS, MAX_RECORD, analyse

COUNT, CONTENT, ANSWER = struct.Struct("<I"), struct.Struct("<BQ"), struct.Struct("<Q")


def take(pipe: BinaryIO, form: struct.Struct) -> tuple[int, ...]:
    """The numbers of one header. Raises: EOFError when the other side is gone."""
    return form.unpack(take_bytes(pipe, form.size))


def take_bytes(pipe: BinaryIO, size: int) -> bytes:
    """So many bytes. Raises: EOFError when they do not come, or are more than anybody here says."""
    data = pipe.read(size) if size <= MAX_RECORD else b""
    if len(data) < size:
        raise EOFError
    return data


def main() -> None:
    """Answers until stdin ends."""
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    try:
        while True:
            (count,) = take(asked, COUNT)
            batch = []
            for _ in range(count):
                level, size = take(asked, CONTENT)
                batch.append((LEVELS[level], take_bytes(asked, size)))
            for kind, data in batch:
                packed = analyse(kind, data)
                answers.write(ANSWER.pack(len(packed)) + packed)
            answers.flush()
    except (EOFError, BrokenPipeError):
        return

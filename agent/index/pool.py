"""Analyses many contents, on two cores where there are two and the work is worth a second process."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread

from ..facts import Level
from .analysis import LEVELS, analyse
from .worker import ANSWER, CONTENT, COUNT, take, take_bytes

WORTH: dict[Level, int] = {"ast": 200, "cst": 10}
"""Files below which one process is as fast: starting another costs a third of a second."""
BATCH: dict[Level, int] = {"ast": 20, "cst": 2}
"""Files handed over at a time."""
PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from branchlab.agent.index.worker import main; main()"
Read = Callable[[str], bytes]
Answer = tuple[str, bytes]


def analyse_all(level: Level, blobs: Sequence[str], read: Read, processes: int) -> Iterator[Answer]:
    """Blob and packed record of each blob; `read` gives a content and may be asked from two threads."""
    waiting = deque(blobs)
    answers: SimpleQueue[Answer] = SimpleQueue()
    helper: Thread | None = None
    if processes > 1 and len(blobs) >= WORTH[level] and sys.executable:
        helper = Thread(target=_help, args=(level, waiting, read, answers), name="second reader", daemon=True)
        helper.start()
    while True:
        try:
            blob = waiting.popleft()
        except IndexError:
            if helper is None:
                break
            helper.join()  # what it took and could not do is back in `waiting`
            helper = None
            continue
        finally:
            while not answers.empty():
                yield answers.get()
        yield blob, analyse(level, read(blob))


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _help(level: Level, waiting: "deque[str]", read: Read, answers: "SimpleQueue[Answer]") -> None:
    """Hands batches from the end of `waiting` to a child until there are none; a child that fails costs only its time."""
    # -I: neither the current folder, which may be a stranger's repository, nor the environment names modules.
    command = [sys.executable, "-I", "-c", PROGRAM, *(path for path in sys.path if os.path.isabs(path))]
    batch: list[str] = []
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
        ) as child:
            assert child.stdin is not None  # noqa: S101
            assert child.stdout is not None  # noqa: S101
            while batch := _batch(waiting, BATCH[level]):
                child.stdin.write(COUNT.pack(len(batch)))
                for blob in batch:
                    data = read(blob)
                    child.stdin.write(CONTENT.pack(LEVELS.index(level), len(data)) + data)
                child.stdin.flush()
                while batch:
                    (size,) = take(child.stdout, ANSWER)  # type: ignore[arg-type]
                    answers.put((batch[0], take_bytes(child.stdout, size)))  # type: ignore[arg-type]
                    batch.pop(0)
    except (OSError, EOFError):
        pass
    finally:
        waiting.extend(batch)


def _batch(waiting: "deque[str]", most: int) -> list[str]:
    batch: list[str] = []
    while len(batch) < most:
        try:
            batch.append(waiting.pop())
        except IndexError:
            break
    return batch

"""Follows one running process to its end: reads what it prints, keeps it to its limits, notices its end at once."""

import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from .limits import CANCELLED, Stop, Watchdog
from .output import OutputRing

CHUNK = 64 * 1024
KILL_WAIT = 10.0
"""Seconds a killed tree may take to be gone: the kernel may be busy freeing its memory."""


class Cancel:
    """Reaches every run in flight from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: set[int] = set()

    @contextmanager
    def event(self) -> Iterator[int]:
        """A descriptor that becomes readable when `all` is called."""
        descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        with self._lock:
            self._events.add(descriptor)
        try:
            yield descriptor
        finally:
            with self._lock:
                self._events.discard(descriptor)
            os.close(descriptor)

    def all(self) -> None:
        with self._lock:
            for descriptor in self._events:
                os.eventfd_write(descriptor, 1)


class Supervisor:
    """Follows the process behind `pidfd` until it ends or must be ended; kills nothing itself."""

    def __init__(self, output: int, ring: OutputRing, watchdog: Watchdog, *, deadline: float, cancel: int) -> None:
        os.set_blocking(output, False)
        self._output = output
        self._ring = ring
        self._watchdog = watchdog
        self._deadline = deadline
        self._cancel = cancel

    def follow(self, pidfd: int, watched: Callable[[], Stop | None]) -> Stop | None:
        """None when the process ended by itself, else why it must be killed now."""
        poller = select.poll()
        for descriptor in (self._output, pidfd, self._cancel):
            poller.register(descriptor, select.POLLIN)
        while True:
            left = min(self._watchdog.due, self._deadline) - time.monotonic()
            ready = {descriptor for descriptor, _ in poller.poll(max(0, math.ceil(left * 1000)))}
            if pidfd in ready:
                return None
            if self._cancel in ready:
                return CANCELLED
            # A program may close its output and go on.
            if self._output in ready and not self._read():
                poller.unregister(self._output)
            now = time.monotonic()
            if now >= self._deadline:
                return Stop("timeout", "ran past its time limit", "timeout")
            if now >= self._watchdog.due and (stop := watched()):
                return stop

    def drain(self) -> None:
        """Takes what is still in the pipe, without waiting for a stray that holds it open."""
        for _ in range(64):
            if not self._read():
                return

    def _read(self) -> bool:
        try:
            data = os.read(self._output, CHUNK)
        except BlockingIOError:
            return False
        self._ring.feed(data)
        return bool(data)


def wait_gone(pidfd: int, seconds: float = KILL_WAIT) -> bool:
    """Whether the process behind the descriptor ended within that time."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(math.ceil(seconds * 1000)))


def kill(pidfd: int) -> None:
    """SIGKILL to exactly that process, never to another one that got its number."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def reap(pid: int) -> tuple[int, float, float] | None:
    """Wait status, CPU seconds and largest memory (MB) of one ended child and all it waited for; None when it is
    not ours to wait for."""
    try:
        _, status, used = os.wait4(pid, 0)
    except ChildProcessError:
        return None
    return status, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def adopt_orphans() -> None:
    """Makes this process the parent of any descendant that loses its own: bubblewrap leaves its first inner process
    behind when it ends, and only a parent learns the CPU time of the tree below it."""
    import ctypes

    pr_set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0)

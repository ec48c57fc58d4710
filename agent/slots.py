"""A fixed number of device slots, each a thread that outlives every run it starts."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue
from typing import TypeVar

from ..evals.trial import Trial

T = TypeVar("T")
METER_SECONDS = 1.0
"""How often the seconds of unfinished trials are written down: so much a slot, and no more, a kill can leave uncharged."""


class Slots:
    """Runs trials in `jobs` long-lived threads and hands them back as they end.

    The threads live until `close`: a sandbox dies with the thread that started it, not with the process.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="slot")
        self._ended: SimpleQueue[Future[Trial]] = SimpleQueue()
        self._in_flight = 0

    @property
    def busy(self) -> bool:
        return self._in_flight > 0

    @property
    def full(self) -> bool:
        """One more than the slots may be handed in, so that a slot never waits for the next idea."""
        return self._in_flight > self.jobs

    def submit(self, work: Callable[[], Trial]) -> None:
        self._in_flight += 1
        self._pool.submit(work).add_done_callback(self._ended.put)

    def wait(self, meanwhile: Callable[[], None] = lambda: None, every: float = METER_SECONDS) -> Trial:
        """The next trial to end; blocks, and calls `meanwhile` every so many seconds. Re-raises what the work raised."""
        while True:
            try:
                future = self._ended.get(timeout=every)
            except Empty:
                meanwhile()
            else:
                self._in_flight -= 1
                return future.result()

    def run(self, work: Callable[[], T], meanwhile: Callable[[], None] = lambda: None) -> T:
        """What `work` returns, once a slot has done it: for what is no trial. Re-raises what it raised."""
        future = self._pool.submit(work)
        while not wait([future], METER_SECONDS).done:
            meanwhile()
        return future.result()

    def close(self) -> None:
        """Drops what has not started and waits for what has; cancel the runner first to make that quick."""
        self._pool.shutdown(wait=True, cancel_futures=True)

"""Watches one run on the GPU it holds: its memory there, and who else is on it. Not run on a GPU yet.

Only MIG is a hard wall between users of a GPU. Elsewhere this looks from outside, some ten times a second: what is taken
and given back between two looks is not seen, and an allocation is over the limit for as long.
"""

import os
import time
from collections.abc import Callable

from ..targets.errors import SandboxError
from .gpu import Gpu
from .limits import BUSY_SHARE, Stop
from .nvml import GpuProcess, Meter
from .runner import GpuUse

INTERVAL = 0.1
"""Seconds between two looks, and more where a look is expensive."""
SETTLE_LOOKS = 50
"""Looks after the end of a run, for the driver to take back its memory: five seconds."""


class GpuWatch:
    """From before a run's first process to after its last. `look` is called in the thread of the run.

    Raises SandboxError from the start when the driver does not answer: an unwatched run would have no limit.
    """

    def __init__(self, gpu: Gpu, meter: Meter, limit_mb: int | None, stopped: Callable[[], Stop | None]) -> None:
        """`stopped` is asked at each look: why the run must end for another reason, or None."""
        self._gpu, self._meter, self._limit, self._stopped = gpu, meter, limit_mb, stopped
        self._due = 0.0
        self._own: set[int] = set()
        self._at_start = meter.processes(gpu.uuid)
        self._used_at_start = meter.used_mb(gpu.uuid)
        self._peak_mb = 0.0
        self.looked = False
        """Whether the backend ever asked: one that does not holds no limit here."""

    def look(self, pids: tuple[int, ...]) -> Stop | None:
        """Why the run of these processes must end now, or None."""
        if stop := self._stopped():
            return stop
        self._own.update(pids)
        self.looked = True
        started = time.monotonic()
        if started < self._due:
            return None
        try:
            used = self._used(set(pids))
        except SandboxError as error:
            return Stop("sandbox_failed", f"the GPU cannot be watched any more: {error}", "sandbox")
        self._peak_mb = max(self._peak_mb, used)
        now = time.monotonic()
        self._due = now + max(INTERVAL, (now - started) / BUSY_SHARE)
        if self._limit is None or used <= self._limit:
            return None
        return Stop("out_of_memory", f"used {used:.0f} MB of {self._limit} MB of GPU memory", "gpu_memory")

    def end(self, waited: float) -> GpuUse:
        """What the run did there, once it is over and its memory was given back. Raises SandboxError."""
        for _ in range(SETTLE_LOOKS):
            last = self._meter.processes(self._gpu.uuid)
            if not any(process.pid in self._own for process in last):
                break
            time.sleep(INTERVAL)
        others = [process for process in last if process.pid not in self._own]
        return GpuUse(
            (self._gpu.uuid,), self._peak_mb, len(self._at_start), _sum(self._at_start), len(others),
            _sum(others), waited,
        )  # fmt: skip

    def _used(self, pids: set[int]) -> float:
        processes = self._meter.processes(self._gpu.uuid)
        own = [process for process in processes if process.pid in pids]
        if not self._nameless(processes) and all(process.memory_mb is not None for process in own):
            return _sum(own)
        # Then the run is told by what the whole device's use grew by; another newcomer's memory counts as its own.
        return max(_sum(own), self._meter.used_mb(self._gpu.uuid) - self._used_at_start)

    def _nameless(self, processes: tuple[GpuProcess, ...]) -> bool:
        """Whether the driver names newcomers by numbers that do not exist here, as it may from inside a container."""
        known = {process.pid for process in self._at_start}
        absent = {p.pid for p in processes if p.pid not in known and not os.path.exists(f"/proc/{p.pid}")}
        # One that has just ended is not listed a second time.
        return bool(absent) and any(p.pid in absent for p in self._meter.processes(self._gpu.uuid))


def _sum(processes: "tuple[GpuProcess, ...] | list[GpuProcess]") -> float:
    return sum(process.memory_mb or 0.0 for process in processes)

"""An NVML of made-up GPUs, for hosts without one. Processes are put on it by their real process ids."""

import os
from collections.abc import Sequence
from threading import Lock

from ..targets.errors import SandboxError
from .nvml import Device, GpuProcess

EMPTY_MB = 3.0
"""What a driver keeps on a GPU nobody uses."""


class FakeNvml:
    """Answers as the driver of the given devices would; `put` and `take_off` are what processes on them do. Used from any
    number of threads."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = tuple(devices)
        self._known = {device.uuid for device in devices} | {m.uuid for d in devices for m in d.mig or ()}
        self._processes: dict[tuple[str, int], float | None] = {}
        self._real: set[int] = set()
        self._unseen: dict[str, float] = {}
        self._lock = Lock()
        self.fault = ""
        """When set, every question fails with it, as when a GPU has fallen off the bus."""
        self.looks = 0
        """How many questions were asked of one device."""

    def put(self, uuid: str, pid: int, memory_mb: float | None) -> None:
        """A process holds this much of the device's memory now; None: the driver does not tell how much."""
        self._check(uuid)
        with self._lock:
            self._processes[uuid, pid] = memory_mb
            if os.path.exists(f"/proc/{pid}"):
                self._real.add(pid)

    def take_off(self, uuid: str, pid: int) -> None:
        with self._lock:
            del self._processes[uuid, pid]

    def use_unseen(self, uuid: str, memory_mb: float) -> None:
        """Memory in use that the driver attributes to no process."""
        with self._lock:
            self._unseen[uuid] = memory_mb

    def devices(self) -> tuple[Device, ...]:
        if self.fault:
            raise SandboxError("the NVIDIA driver does not list its GPUs", found=self.fault)
        return self._devices

    def used_mb(self, uuid: str) -> float:
        self._check(uuid)
        with self._lock:
            self._forget_the_dead()
            self.looks += 1
            seen = sum(memory or 0.0 for (device, _), memory in self._processes.items() if device == uuid)
            return EMPTY_MB + seen + self._unseen.get(uuid, 0.0)

    def processes(self, uuid: str) -> tuple[GpuProcess, ...]:
        self._check(uuid)
        with self._lock:
            self._forget_the_dead()
            self.looks += 1
            found = [(pid, memory) for (device, pid), memory in self._processes.items() if device == uuid]
        return tuple(GpuProcess(pid, memory) for pid, memory in found)

    def _forget_the_dead(self) -> None:
        """A driver takes back what an ended process held. Numbers that never were a process's here stay."""
        dead = {pid for pid in self._real if not os.path.exists(f"/proc/{pid}")}
        self._processes = {key: memory for key, memory in self._processes.items() if key[1] not in dead}

    def _check(self, uuid: str) -> None:
        if self.fault or uuid not in self._known:
            raise SandboxError("the NVIDIA driver does not answer", found=self.fault or "Not Found", where=uuid)

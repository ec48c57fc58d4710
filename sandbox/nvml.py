"""What the NVIDIA driver says of its GPUs (NVML), behind a seam that `fake_nvml.py` fills in tests.

Not run on a GPU yet: the calls are those of the package nvidia-ml-py, their answers on a real driver were never seen here.
Process ids are those of the namespace this process is in; the driver may name ids that do not exist in it, or 0.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from ..targets.errors import SandboxError

MB = 1024 * 1024
INSTALL = "pip install 'branchlab[gpu]' (the package nvidia-ml-py, pure Python)"


@dataclass(frozen=True, slots=True)
class MigDevice:
    """One instance of a GPU that is divided in hardware."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    total_mb: float


@dataclass(frozen=True, slots=True)
class Device:
    uuid: str
    name: str
    minor: int
    """N of /dev/nvidiaN: not the index that tools print, which may be in another order."""
    total_mb: float
    mig: tuple[MigDevice, ...] | None = None
    """Its instances where MIG is on; None where it is off or unknown to the card."""


@dataclass(frozen=True, slots=True)
class GpuProcess:
    pid: int
    memory_mb: float | None
    """None where the driver does not tell (WSL2)."""


class Meter(Protocol):
    """Looks at one device, by UUID. Raises SandboxError when the driver does not answer."""

    def used_mb(self, uuid: str) -> float: ...

    def processes(self, uuid: str) -> tuple[GpuProcess, ...]: ...


class Nvml(Meter, Protocol):
    def devices(self) -> tuple[Device, ...]:
        """In the driver's own order, which is not that of the minor numbers."""


def connect() -> Nvml:
    """The driver of this host. Raises SandboxError, in one line with the fix, without the package or the driver's library."""
    try:
        module = import_module("pynvml")
    except ImportError:
        raise SandboxError("GPUs cannot be looked at", wanted="the module pynvml", found="none", fix=INSTALL) from None
    with _faults(
        module, "GPUs cannot be looked at", fix="install the NVIDIA driver's libnvidia-ml.so.1; see nvidia-smi"
    ):
        module.nvmlInit()
    return DriverNvml(module)


class DriverNvml:
    """NVML through pynvml. Safe from several threads, as NVML is. Not run on a GPU yet."""

    def __init__(self, module: ModuleType) -> None:
        self._nvml: Any = module

    def devices(self) -> tuple[Device, ...]:
        nvml = self._nvml
        with _faults(nvml, "the NVIDIA driver does not list its GPUs"):
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            return tuple(self._device(handle) for handle in handles)

    def used_mb(self, uuid: str) -> float:
        with _faults(self._nvml, "the NVIDIA driver does not tell a GPU's memory", where=uuid):
            return float(self._nvml.nvmlDeviceGetMemoryInfo(self._nvml.nvmlDeviceGetHandleByUUID(uuid)).used) / MB

    def processes(self, uuid: str) -> tuple[GpuProcess, ...]:
        nvml = self._nvml
        with _faults(nvml, "the NVIDIA driver does not list a GPU's processes", where=uuid):
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            found: dict[int, float | None] = {}
            # The same process may compute and draw: its memory is then the same figure in both lists.
            for ask in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
                for entry in self._or_nothing(ask, handle) or ():
                    memory = None if entry.usedGpuMemory is None else entry.usedGpuMemory / MB
                    found[entry.pid] = memory if memory is not None else found.get(entry.pid)
        return tuple(GpuProcess(pid, memory) for pid, memory in found.items())

    def _device(self, handle: Any) -> Device:
        nvml = self._nvml
        return Device(
            nvml.nvmlDeviceGetUUID(handle),
            nvml.nvmlDeviceGetName(handle),
            nvml.nvmlDeviceGetMinorNumber(handle),
            nvml.nvmlDeviceGetMemoryInfo(handle).total / MB,
            self._mig(handle),
        )

    def _mig(self, handle: Any) -> tuple[MigDevice, ...] | None:
        nvml = self._nvml
        mode = self._or_nothing(nvml.nvmlDeviceGetMigMode, handle)
        if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return None
        found = []
        for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            instance = self._or_nothing(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            if instance is not None:
                found.append(
                    MigDevice(
                        nvml.nvmlDeviceGetUUID(instance),
                        nvml.nvmlDeviceGetGpuInstanceId(instance),
                        nvml.nvmlDeviceGetComputeInstanceId(instance),
                        nvml.nvmlDeviceGetMemoryInfo(instance).total / MB,
                    )
                )
        return tuple(found)

    def _or_nothing(self, ask: Callable[..., Any], *words: Any) -> Any:
        """None where this card or driver has no such thing."""
        try:
            return ask(*words)
        except (self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_NotFound):
            return None


@contextmanager
def _faults(module: Any, message: str, *, where: str = "", fix: str = "") -> Iterator[None]:
    try:
        yield
    except module.NVMLError as error:
        raise SandboxError(message, found=str(error), where=where, fix=fix) from None

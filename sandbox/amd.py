"""What the AMD driver says of its GPUs, read from the files of amdgpu and its compute part kfd under /sys.

Not run on a GPU yet. Source: Documentation/ABI/testing/sysfs-class-kfd and gpu/amdgpu/driver-misc.rst of Linux.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..targets.errors import SandboxError
from .nvml import MB, GpuProcess


@dataclass(frozen=True, slots=True)
class AmdDevice:
    uuid: str
    """As ROCR_VISIBLE_DEVICES takes it: GPU- and 16 hex digits; a card without a number of its own is told by its index."""
    gpu_id: int
    """The number kfd gives it."""
    render: str
    """Name of its node in /dev/dri."""
    total_mb: float | None


class Amd:
    """The compute GPUs of the amdgpu driver, in its own order. None on a host without it."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._sys = root / "sys/class"
        self._devices = tuple(self._find())

    def devices(self) -> tuple[AmdDevice, ...]:
        return self._devices

    def used_mb(self, uuid: str) -> float:
        return self._bytes(self._of(uuid).render, "mem_info_vram_used") / MB

    def processes(self, uuid: str) -> tuple[GpuProcess, ...]:
        """Those that compute; kfd names them by the host's process ids."""
        name = f"vram_{self._of(uuid).gpu_id}"
        found = []
        for folder in (self._sys / "kfd/kfd/proc").glob("[0-9]*"):
            # A process may end between two reads.
            with suppress(OSError, ValueError):
                used = int((folder / name).read_text(encoding="ascii"))
                if used:
                    found.append(GpuProcess(int(folder.name), used / MB))
        return tuple(found)

    def _find(self) -> list[AmdDevice]:
        found: list[AmdDevice] = []
        nodes = (self._sys / "kfd/kfd/topology/nodes").glob("[0-9]*")
        for folder in sorted(nodes, key=lambda node: int(node.name)):
            with suppress(OSError, ValueError):
                gpu_id = int((folder / "gpu_id").read_text(encoding="ascii"))
                text = (folder / "properties").read_text(encoding="ascii")
                facts = {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", text, flags=re.MULTILINE)}
                if gpu_id == 0 or facts.get("drm_render_minor", 0) <= 0:
                    continue  # a CPU
                unique = facts.get("unique_id", 0)
                uuid = f"GPU-{unique:016x}" if unique else str(len(found))
                render = f"renderD{facts['drm_render_minor']}"
                found.append(AmdDevice(uuid, gpu_id, render, self._total_mb(render)))
        return found

    def _of(self, uuid: str) -> AmdDevice:
        for device in self._devices:
            if device.uuid == uuid:
                return device
        raise SandboxError("no such AMD GPU", found=uuid)

    def _total_mb(self, render: str) -> float | None:
        try:
            return self._bytes(render, "mem_info_vram_total") / MB
        except SandboxError:
            return None

    def _bytes(self, render: str, name: str) -> int:
        path = self._sys / "drm" / render / "device" / name
        try:
            return int(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            message = "the AMD driver does not tell a GPU's memory"
            raise SandboxError(message, found=str(error), where=os.fspath(path)) from None

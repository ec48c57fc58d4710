"""What a run is shown of the one GPU it holds: device nodes, driver folders, environment. Not run on a GPU yet.

Binding the device nodes of one GPU is the boundary; CUDA_VISIBLE_DEVICES is advice that code may unset. The driver's
ioctls are kernel attack surface that no argument here closes. WSL2 has one node for all GPUs: no boundary there.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..targets.errors import SandboxError

Kind = Literal["nvidia", "mig", "amd", "wsl"]

# nvidia-uvm-tools: drivers from 570 on fail with error 304 without it.
NVIDIA_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
SYSFS: dict[Kind, tuple[str, ...]] = {
    "nvidia": ("/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/module/nvidia_uvm"),
    "mig": ("/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/module/nvidia_uvm"),
    "amd": ("/sys/devices", "/sys/bus/pci", "/sys/class/kfd", "/sys/class/drm", "/sys/module/amdgpu"),
    "wsl": (),
}
WHOLE_SYSFS = ("/sys",)
AMD_UUID = re.compile(r"GPU-[0-9a-f]{16}|\d+")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or one instance of a divided one, and all that a run on it is shown. Made by `gpu_inventory.find`."""

    uuid: str
    name: str
    kind: Kind
    node: str
    """The node that is this GPU's alone."""
    others: tuple[str, ...]
    """Nodes it needs beside that one; those that the host lacks are left out."""
    minor: int | None = None
    total_mb: float | None = None
    sysfs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    """Folders of the driver's libraries outside /usr."""
    library_path: str = ""
    """Folders among the places drivers use that the host's own loader does not know."""
    root: Path = Path("/")
    """Where the nodes are found on the host; another folder in tests only."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Host paths of its nodes."""
        return tuple(str(self.root / node[1:]) for node in (self.node, *self.others))


def arguments(gpu: Gpu | None, uuid: str | None = None) -> list[str]:
    """bubblewrap's arguments between `--dev` and `--remount-ro /dev`; none without a GPU.

    Raises SandboxError for a request that names a GPU it does not hold.
    """
    if gpu is None:
        if uuid is None:
            return []
        raise SandboxError(
            "this run holds no GPU", wanted=uuid, fix="run it through gpu_runner.OnGpus, which leases one"
        )
    words = []
    for node, source in zip((gpu.node, *gpu.others), gpu.sources, strict=True):
        # --bind would mount the node nodev, and opening it would fail. Its own node must be there.
        words += ["--dev-bind" if node == gpu.node else "--dev-bind-try", source, node]
    for folder in (*gpu.sysfs, *gpu.libraries):
        words += ["--ro-bind-try", folder, folder]
    return words


def environment(uuid: str | None) -> dict[str, str]:
    """What tells well-behaved code which GPU is its own; an empty list where it has none."""
    if uuid is not None and AMD_UUID.fullmatch(uuid):
        # Not CUDA_VISIBLE_DEVICES: AMD's runtime reads that too, as indices.
        return {"ROCR_VISIBLE_DEVICES": uuid}
    return {"CUDA_VISIBLE_DEVICES": uuid or ""}


def groups(gpu: Gpu | None) -> list[int]:
    """Groups a user without any needs to open the nodes, such as `render`; never root's."""
    found: set[int] = set()
    for source in gpu.sources if gpu else ():
        with suppress(OSError):
            status = Path(source).stat()
            if status.st_mode & 0o006 != 0o006 and status.st_mode & 0o060 == 0o060 and status.st_gid != 0:
                found.add(status.st_gid)
    return sorted(found)


def sources(gpu: Gpu | None) -> Sequence[str]:
    """Host paths of the nodes a run is shown beside those of --dev; none without a GPU."""
    return gpu.sources if gpu else ()

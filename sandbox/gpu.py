"""bubblewrap arguments that show one GPU to a run. Not run on a GPU yet: only the arguments are tested.

Binding the device nodes of one GPU is the boundary; CUDA_VISIBLE_DEVICES is advice that code may unset. The driver's
ioctls are kernel attack surface that no argument here closes.
"""

import re
from pathlib import Path

from ..targets.errors import SandboxError

# nvidia-uvm-tools: drivers from 570 on fail with error 304 without it.
COMMON_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
SYSFS = ("/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/module/nvidia_uvm")


def arguments(
    uuid: str | None, *, proc: Path = Path("/proc/driver/nvidia/gpus"), dev: Path = Path("/dev")
) -> list[str]:
    """Arguments between `--dev` and `--remount-ro /dev`; none without a GPU. Raises SandboxError when it is not there."""
    if uuid is None:
        return []
    nodes = (f"nvidia{_minor(uuid, proc)}", *COMMON_NODES)
    words = []
    for node in nodes:
        # --bind would mount the node nodev, and opening it would fail.
        words += ["--dev-bind-try", str(dev / node), f"/dev/{node}"]
    for folder in SYSFS:
        words += ["--ro-bind-try", folder, folder]
    return words


def environment(uuid: str | None) -> dict[str, str]:
    """What tells well-behaved code which GPU is its own; an empty list where it has none."""
    return {"CUDA_VISIBLE_DEVICES": uuid or ""}


def _minor(uuid: str, proc: Path) -> str:
    """Number of /dev/nvidiaN: not the index that tools print, which may be in another order."""
    known = []
    for information in sorted(proc.glob("*/information")):
        text = information.read_text(encoding="utf-8", errors="replace")
        found: dict[str, str] = dict(re.findall(r"^(GPU UUID|Device Minor):\s*(\S+)", text, flags=re.MULTILINE))
        if found.get("GPU UUID") == uuid and found.get("Device Minor", "").isdigit():
            return found["Device Minor"]
        known.append(found.get("GPU UUID", "?"))
    raise SandboxError("no such GPU", wanted=uuid, found=", ".join(known) or "none")

"""The GPUs of this host and how each is looked at: NVIDIA's through NVML, AMD's through /sys. Not run on a GPU yet."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..targets.errors import SandboxError
from . import nvml as nvml_module
from .amd import Amd
from .gpu import NVIDIA_NODES, SYSFS, Gpu
from .nvml import Device, Meter, MigDevice, Nvml

WSL_NODE = "/dev/dxg"
DRIVER_LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1", "libamdhip64.so", "libhsa-runtime64.so.1")
DRIVER_FOLDERS = ("/usr/lib/wsl/lib", "/usr/local/nvidia/lib64", "/opt/nvidia/lib64", "/opt/nvidia/lib",
                  "/run/opengl-driver/lib", "/opt/rocm/lib")  # fmt: skip
"""Where drivers lie on WSL2, in GPU containers and on NixOS, whatever the loader's cache says."""


@dataclass(frozen=True, slots=True)
class Inventory:
    gpus: tuple[Gpu, ...]
    """In the drivers' own order."""
    meters: Mapping[str, Meter]
    """How to look at a GPU, by UUID; a GPU that is not here cannot be watched, and no run gets it."""
    fault: str = ""
    """Why NVIDIA's GPUs cannot be watched, with the fix."""

    @property
    def usable(self) -> tuple[Gpu, ...]:
        """Those that can be watched; AMD's only where there is no NVIDIA one, as code is written for one or the other."""
        watched = [gpu for gpu in self.gpus if gpu.uuid in self.meters]
        return tuple(gpu for gpu in watched if gpu.kind != "amd") or tuple(watched)

    def free_mb(self, gpu: Gpu) -> float:
        """Memory of it that nobody uses now. Raises SandboxError when the driver does not answer."""
        return (gpu.total_mb or 0.0) - self.meters[gpu.uuid].used_mb(gpu.uuid)


def find(root: Path = Path("/"), nvml: Nvml | None = None) -> Inventory:
    """What this host has. Never raises: what cannot be looked at is in `fault`, and an empty host is an answer.

    Args:
        root: the host's root; another folder in tests.
        nvml: the driver to ask; the host's own when not given.
    """
    gpus: list[Gpu] = []
    meters: dict[str, Meter] = {}
    fault = ""
    if _has_nvidia(root):
        try:
            driver = nvml or nvml_module.connect()
            for device in driver.devices():
                found = _nvidia(device, root)
                gpus += found
                fault = fault if found else _not_divided(device)
            meters |= {gpu.uuid: driver for gpu in gpus}
        except SandboxError as error:
            fault = str(error)
            gpus = _from_proc(root)
    amd = Amd(root)
    for card in amd.devices():
        node = f"/dev/dri/{card.render}"
        gpus.append(Gpu(card.uuid, f"AMD {card.render}", "amd", node, ("/dev/kfd",), None, card.total_mb, SYSFS["amd"]))
        meters[card.uuid] = amd
    if not gpus:
        return Inventory((), {}, fault)
    libraries, path = driver_libraries(root)
    placed = tuple(replace(gpu, libraries=libraries, library_path=path, root=root) for gpu in gpus)
    return Inventory(placed, meters, fault)


def driver_libraries(root: Path = Path("/")) -> tuple[tuple[str, ...], str]:
    """Folders of driver libraries outside /usr, and as a search path those the host's loader does not know."""
    known = [path for name, path in _loader_cache() if name in DRIVER_LIBRARIES] if root == Path("/") else []
    folders = {str(place.parent) for path in known for place in (Path(path), Path(path).resolve())}
    unknown = []
    for folder in DRIVER_FOLDERS:
        place = root / folder[1:]
        if folder not in folders and any((place / name).exists() for name in DRIVER_LIBRARIES):
            unknown.append(folder)
    # Below the top two levels only: a driver in `/` or `/opt` itself would show everything else there.
    wanted = sorted(f for f in (*folders, *unknown) if not f.startswith(("/usr/", "/lib")) and len(Path(f).parts) > 2)
    return tuple(wanted), ":".join(unknown)


def _loader_cache() -> list[tuple[str, str]]:
    for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig"):
        if Path(program).exists():
            done = subprocess.run([program, "-p"], env={}, capture_output=True, text=True, timeout=20, check=False)
            return re.findall(r"^\t(\S+) \([^)]*\) => (/\S+)$", done.stdout, flags=re.MULTILINE)
    return []


def _has_nvidia(root: Path) -> bool:
    return any(root.glob("dev/nvidia[0-9]*")) or any(root.glob("proc/driver/nvidia/gpus/*")) or _is_wsl(root)


def _is_wsl(root: Path) -> bool:
    return (root / WSL_NODE[1:]).exists()


def _nvidia(device: Device, root: Path) -> list[Gpu]:
    if _is_wsl(root):
        return [Gpu(device.uuid, device.name, "wsl", WSL_NODE, (), None, device.total_mb, SYSFS["wsl"])]
    node = f"/dev/nvidia{device.minor}"
    if device.mig is None:
        gpu = Gpu(
            device.uuid, device.name, "nvidia", node, NVIDIA_NODES, device.minor, device.total_mb, SYSFS["nvidia"]
        )
        return [gpu]
    # A divided GPU is used by its instances only.
    instances = (_instance(device, instance, node, root) for instance in device.mig)
    return [instance for instance in instances if instance is not None]


def _not_divided(device: Device) -> str:
    fix = "sudo nvidia-smi mig -cgi PROFILE -C, or sudo nvidia-smi -mig 0"
    return str(SandboxError("MIG is on and no instance of this GPU can be reached", where=device.uuid, fix=fix))


def _instance(device: Device, instance: MigDevice, node: str, root: Path) -> Gpu | None:
    """An instance is reached through two more nodes, whose numbers the driver lists; None where it does not list them:
    to show all of /dev/nvidia-caps would be to show every instance."""
    home = root / f"proc/driver/nvidia/capabilities/gpu{device.minor}/mig/gi{instance.gpu_instance}"
    numbers = [
        _number(home / "access", "DeviceFileMinor"),
        _number(home / f"ci{instance.compute_instance}" / "access", "DeviceFileMinor"),
    ]
    if None in numbers:
        return None
    caps = tuple(f"/dev/nvidia-caps/nvidia-cap{number}" for number in numbers)
    name = f"{device.name} MIG {instance.gpu_instance}/{instance.compute_instance}"
    own, rest = caps[1], (caps[0], node, *NVIDIA_NODES)
    return Gpu(instance.uuid, name, "mig", own, rest, device.minor, instance.total_mb, SYSFS["mig"])


def _from_proc(root: Path) -> list[Gpu]:
    """What the driver's own files tell where NVML does not answer: enough to name the GPUs, not to watch them."""
    found = []
    for information in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        text = information.read_text(encoding="utf-8", errors="replace")
        facts = dict(re.findall(r"^(Model|GPU UUID|Device Minor):[ \t]*(.+?)[ \t]*$", text, flags=re.MULTILINE))
        minor = facts.get("Device Minor", "")
        if "GPU UUID" in facts and minor.isdigit():
            node = f"/dev/nvidia{minor}"
            name = facts.get("Model", "NVIDIA")
            found.append(Gpu(facts["GPU UUID"], name, "nvidia", node, NVIDIA_NODES, int(minor), None, SYSFS["nvidia"]))
    return found


def _number(file: Path, name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s*(\d+)$", file.read_text(encoding="ascii"), flags=re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None

"""Made-up hosts with GPUs: the files of their drivers below a folder, and the driver's answers. Shapes are those that the
drivers document; none was read from a real host."""

import itertools
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from branchlab.sandbox import gpu_inventory
from branchlab.sandbox.fake_nvml import FakeNvml
from branchlab.sandbox.gpu_inventory import Inventory
from branchlab.sandbox.nvml import Device, MigDevice

CAPABILITY = "DeviceFileMinor: {}\nDeviceFileMode: 292\nDeviceFileModify: 1\n"
_numbers = itertools.count()


def new_uuid(kind: str = "GPU") -> str:
    """One of its own for each device of each test: leases are host-wide."""
    return f"{kind}-{uuid.uuid4()}"


def nvidia(root: Path, minors: tuple[int, ...], *, total_mb: float = 81920.0) -> FakeNvml:
    """A host whose driver lists GPUs in this order of their minor numbers."""
    devices = [Device(new_uuid(), f"NVIDIA Test {minor}", minor, total_mb) for minor in minors]
    for device in devices:
        write_information(root, device)
    touch(root, *(f"dev/nvidia{minor}" for minor in minors), "dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia-uvm-tools")
    return FakeNvml(devices)


def host(root: Path, count: int) -> tuple[Inventory, FakeNvml]:
    """A host of that many GPUs as `gpu_inventory` finds it, and its driver."""
    driver = nvidia(root, tuple(range(count)))
    return gpu_inventory.find(root, driver), driver


def write_information(root: Path, device: Device) -> None:
    folder = root / f"proc/driver/nvidia/gpus/0000:{next(_numbers):02x}:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(
        f"Model: \t\t {device.name}\nIRQ:   \t\t 90\nGPU UUID: \t {device.uuid}\nBus Type: \t PCIe\n"
        f"Device Minor: \t {device.minor}\nGPU Excluded:\t No\n"
    )


def divided(root: Path, *, listed: bool = True) -> FakeNvml:
    """One GPU, minor 0, divided into two instances of one compute instance each."""
    instances = tuple(MigDevice(new_uuid("MIG"), gi, 0, 20000.0) for gi in (1, 2))
    card = Device(new_uuid(), "NVIDIA Test", 0, 40000.0, instances)
    write_information(root, card)
    touch(root, "dev/nvidia0", "dev/nvidiactl", *(f"dev/nvidia-caps/nvidia-cap{n}" for n in (1, 2, 12, 13, 21, 22)))
    if listed:
        for gi, (gpu_cap, compute_cap) in ((1, (12, 13)), (2, (21, 22))):
            home = root / f"proc/driver/nvidia/capabilities/gpu0/mig/gi{gi}"
            (home / "ci0").mkdir(parents=True)
            (home / "access").write_text(CAPABILITY.format(gpu_cap))
            (home / "ci0" / "access").write_text(CAPABILITY.format(compute_cap))
    return FakeNvml([card])


def amd(root: Path, renders: tuple[int, ...] = (128, 129)) -> None:
    """A CPU, then GPUs of 16 GB with these render nodes; the first one is used by process 4711."""
    topology = root / "sys/class/kfd/kfd/topology/nodes"
    for index, render in enumerate((0, *renders)):
        (topology / str(index)).mkdir(parents=True)
        (topology / str(index) / "gpu_id").write_text(f"{index * 1000}\n")
        unique = 0x1234ABCD + index if render else 0
        text = f"cpu_cores_count {0 if render else 8}\ndrm_render_minor {render}\nunique_id {unique}\n"
        (topology / str(index) / "properties").write_text(text)
        if render:
            device = root / f"sys/class/drm/renderD{render}/device"
            device.mkdir(parents=True)
            (device / "mem_info_vram_total").write_text(f"{16 << 30}\n")
            (device / "mem_info_vram_used").write_text(f"{(2 if index == 1 else 1) << 30}\n")
    process = root / "sys/class/kfd/kfd/proc/4711"
    process.mkdir(parents=True)
    (process / "vram_1000").write_text(f"{1 << 30}\n")
    (process / "vram_2000").write_text("0\n")
    touch(root, "dev/kfd", *(f"dev/dri/renderD{render}" for render in renders))


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def build_library(folder: Path, name: str, source: str) -> Path:
    """A shared library made of C; skips where there is no compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.c").write_text(source)
    try:
        words = ["cc", "-shared", "-fPIC", "-O1", "-o", os.fspath(folder / name), os.fspath(folder / "source.c")]
        subprocess.run(words, check=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs a C compiler (cc) for a stand-in of the driver's library")
    return folder / name

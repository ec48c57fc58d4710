"""Which GPUs a host has, and what a run on each is shown; on made-up hosts."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.sandbox import gpu, gpu_inventory, nvml
from branchlab.sandbox.fake_nvml import FakeNvml
from branchlab.sandbox.gpu_inventory import find
from branchlab.targets.errors import SandboxError

from . import gpu_hosts

COMMON = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]


def nodes(words: list[str]) -> list[str]:
    """What is bound as a device, as seen inside, in order."""
    return [words[i + 2] for i, word in enumerate(words) if word in ("--dev-bind", "--dev-bind-try")]


@pytest.mark.parametrize("minors", [(0,), (0, 1), (2, 0, 1), (3, 2, 1, 0)])
def test_each_gpu_shows_its_own_node_whatever_the_order_of_the_driver(tmp_path: Path, minors: tuple[int, ...]) -> None:
    driver = gpu_hosts.nvidia(tmp_path, minors)
    found = find(tmp_path, driver)
    assert [g.uuid for g in found.usable] == [device.uuid for device in driver.devices()]
    for minor, one in zip(minors, found.gpus, strict=True):
        words = gpu.arguments(one, one.uuid)
        assert nodes(words) == [f"/dev/nvidia{minor}", *COMMON]
        # Its own node must be there, and is looked for where the host has it.
        assert words[:3] == ["--dev-bind", f"{tmp_path}/dev/nvidia{minor}", f"/dev/nvidia{minor}"]
        assert words[3:5] == ["--dev-bind-try", f"{tmp_path}/dev/nvidiactl"]
        folders = [words[i + 1] for i, word in enumerate(words) if word == "--ro-bind-try"]
        assert folders == ["/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/module/nvidia_uvm"]
        assert not {"--bind", "--bind-try"} & set(words), "a nodev mount of a device cannot be opened"


def test_without_a_gpu_nothing_is_shown_and_code_is_told_so() -> None:
    assert gpu.arguments(None, None) == []
    assert gpu.environment(None) == {"CUDA_VISIBLE_DEVICES": ""}
    assert gpu.groups(None) == []


def test_a_gpu_that_is_asked_for_but_not_held_is_refused() -> None:
    with pytest.raises(SandboxError, match=r"holds no GPU.*GPU-a"):
        gpu.arguments(None, "GPU-a")


def test_an_instance_of_a_divided_gpu_shows_its_two_capabilities_and_no_other_ones(tmp_path: Path) -> None:
    driver = gpu_hosts.divided(tmp_path)
    found = find(tmp_path, driver)
    card = driver.devices()[0]
    assert card.mig is not None
    assert [g.uuid for g in found.usable] == [instance.uuid for instance in card.mig]
    first, second = (nodes(gpu.arguments(g, g.uuid)) for g in found.gpus)
    caps = "/dev/nvidia-caps/nvidia-cap"
    assert first == [f"{caps}13", f"{caps}12", "/dev/nvidia0", *COMMON]
    assert second == [f"{caps}22", f"{caps}21", "/dev/nvidia0", *COMMON]
    assert gpu.environment(found.gpus[0].uuid) == {"CUDA_VISIBLE_DEVICES": card.mig[0].uuid}


def test_a_divided_gpu_whose_capabilities_are_not_listed_is_not_used_and_said(tmp_path: Path) -> None:
    found = find(tmp_path, gpu_hosts.divided(tmp_path, listed=False))
    assert found.usable == ()
    assert "MIG" in found.fault
    assert "fix: " in found.fault


def test_amd_gpus_are_found_by_their_render_nodes(tmp_path: Path) -> None:
    gpu_hosts.amd(tmp_path)
    found = find(tmp_path)
    assert [(g.uuid, g.kind, g.total_mb) for g in found.usable] == [
        ("GPU-000000001234abce", "amd", 16384.0),
        ("GPU-000000001234abcf", "amd", 16384.0),
    ]
    first = found.gpus[0]
    assert nodes(gpu.arguments(first, first.uuid)) == ["/dev/dri/renderD128", "/dev/kfd"]
    assert gpu.environment(first.uuid) == {"ROCR_VISIBLE_DEVICES": first.uuid}
    meter = found.meters[first.uuid]
    assert meter.used_mb(first.uuid) == 2048.0
    assert meter.processes(first.uuid) == (nvml.GpuProcess(4711, 1024.0),)
    assert meter.processes(found.gpus[1].uuid) == ()
    assert found.free_mb(found.gpus[1]) == 15360.0


def test_an_amd_card_whose_memory_is_not_told_is_an_error_when_it_is_asked(tmp_path: Path) -> None:
    gpu_hosts.amd(tmp_path, (128,))
    found = find(tmp_path)
    for file in (tmp_path / "sys/class/drm/renderD128/device").iterdir():
        file.unlink()
    assert find(tmp_path).gpus[0].total_mb is None
    with pytest.raises(SandboxError, match="mem_info_vram_used"):
        found.free_mb(found.gpus[0])
    with pytest.raises(SandboxError, match="no such AMD GPU"):
        found.meters[found.gpus[0].uuid].used_mb("GPU-other")


def test_beside_an_nvidia_gpu_an_amd_one_is_listed_but_not_used(tmp_path: Path) -> None:
    gpu_hosts.amd(tmp_path, (128,))
    found = find(tmp_path, gpu_hosts.nvidia(tmp_path, (0,)))
    assert [g.kind for g in found.gpus] == ["nvidia", "amd"]
    assert [g.kind for g in found.usable] == ["nvidia"]


def test_wsl_has_one_node_for_all_gpus_and_its_own_libraries(tmp_path: Path) -> None:
    driver = gpu_hosts.nvidia(tmp_path, (0,))
    gpu_hosts.touch(tmp_path, "dev/dxg", "usr/lib/wsl/lib/libcuda.so.1")
    one = find(tmp_path, driver).gpus[0]
    words = gpu.arguments(one, one.uuid)
    assert nodes(words) == ["/dev/dxg"]
    assert one.kind == "wsl"
    assert one.library_path == "/usr/lib/wsl/lib"
    assert "/usr/lib/wsl/lib" not in words, "it is below /usr, which is shown already"


def test_driver_libraries_outside_usr_are_shown_read_only(tmp_path: Path) -> None:
    gpu_hosts.touch(tmp_path, "opt/nvidia/lib64/libcuda.so.1", "run/opengl-driver/lib/libother.so")
    one = find(tmp_path, gpu_hosts.nvidia(tmp_path, (0,))).gpus[0]
    words = gpu.arguments(one, one.uuid)
    at = words.index("/opt/nvidia/lib64")
    assert words[at - 1 : at + 2] == ["--ro-bind-try", "/opt/nvidia/lib64", "/opt/nvidia/lib64"]
    assert one.library_path == "/opt/nvidia/lib64"
    assert "/run/opengl-driver/lib" not in words


def test_a_driver_in_a_folder_at_the_top_would_show_everything_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = [("libcuda.so.1", "/opt/libcuda.so.1"), ("libcuda.so.1", "/libcuda.so.1"), ("libc.so.6", "/opt/c/libc.so.6"),
             ("libnvidia-ml.so.1", "/opt/driver/lib/libnvidia-ml.so.1")]  # fmt: skip
    monkeypatch.setattr(gpu_inventory, "_loader_cache", lambda: cache)
    assert gpu_inventory.driver_libraries()[0] == ("/opt/driver/lib",)


@pytest.mark.skipif(not os.path.exists("/sbin/ldconfig"), reason="needs ldconfig")
def test_the_loaders_cache_is_read() -> None:
    assert any(name == "libc.so.6" and path.startswith("/") for name, path in gpu_inventory._loader_cache())


def test_without_nvml_a_gpu_is_named_but_no_run_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_hosts.nvidia(tmp_path, (1, 0))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # what Python itself takes for "cannot be imported"
    found = find(tmp_path)
    assert sorted((g.name, g.node) for g in found.gpus) == [
        ("NVIDIA Test 0", "/dev/nvidia0"),
        ("NVIDIA Test 1", "/dev/nvidia1"),
    ]
    assert found.usable == ()
    assert "pip install 'branchlab[gpu]'" in found.fault
    assert "\n" not in found.fault


def test_a_driver_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    driver = gpu_hosts.nvidia(tmp_path, (0,))
    driver.fault = "GPU is lost"
    found = find(tmp_path, driver)
    assert (len(found.gpus), found.usable) == (1, ())
    assert "GPU is lost" in found.fault


def test_a_host_without_any_has_none(tmp_path: Path) -> None:
    found = find(tmp_path, FakeNvml([]))
    assert (found.gpus, found.usable, found.fault) == ((), (), "")


@pytest.mark.parametrize(("mode", "wanted"), [(0o666, False), (0o660, True), (0o600, False)])
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file to a group")
def test_only_the_group_that_a_closed_node_belongs_to_is_given(tmp_path: Path, mode: int, wanted: bool) -> None:
    one = find(tmp_path, gpu_hosts.nvidia(tmp_path, (0,))).gpus[0]
    node = tmp_path / "dev/nvidia0"
    os.chown(node, 0, 44)
    node.chmod(mode)
    (tmp_path / "dev/nvidiactl").chmod(0o660)  # root's own group is never given
    assert gpu.groups(one) == ([44] if wanted else [])
    assert gpu.groups(replace(one, root=tmp_path / "nowhere")) == []


# A driver's library, with the calls pynvml makes of it: two GPUs in an order that is not that of their minor numbers, one
# process that computes and draws, one that only draws, one divided card.
DRIVER = """
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gi, ci; } process_t;
static int cards[3] = {0, 1, 2};
static int at(void *handle) { return (int)((int *)handle - cards); }
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned f) { return 0; }
const char *nvmlErrorString(int code) { return code == 6 ? "Not Found" : "Some Fault"; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = &cards[i]; return 0; }
int nvmlDeviceGetHandleByUUID(const char *u, void **h) {
    if (!strcmp(u, "GPU-0")) *h = &cards[0]; else if (!strcmp(u, "GPU-1")) *h = &cards[1];
    else if (!strcmp(u, "MIG-0")) *h = &cards[2]; else return 6;
    return 0; }
int nvmlDeviceGetUUID(void *h, char *u, unsigned n) { strcpy(u, at(h) == 2 ? "MIG-0" : at(h) ? "GPU-1" : "GPU-0"); return 0; }
int nvmlDeviceGetName(void *h, char *u, unsigned n) { strcpy(u, "NVIDIA Stand-in"); return 0; }
int nvmlDeviceGetMinorNumber(void *h, unsigned *n) { *n = 1 - at(h); return 0; }
int nvmlDeviceGetMemoryInfo(void *h, memory_t *m) { m->total = 8ull << 30; m->used = 3ull << 20; m->free = 0; return 0; }
int nvmlDeviceGetMigMode(void *h, unsigned *now, unsigned *next) { if (!at(h)) return 3; *now = *next = 1; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *n) { *n = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *h, unsigned i, void **m) { if (i != 3) return 6; *m = &cards[2]; return 0; }
int nvmlDeviceGetGpuInstanceId(void *h, unsigned *n) { *n = 5; return 0; }
int nvmlDeviceGetComputeInstanceId(void *h, unsigned *n) { *n = 0; return 0; }
static int list(process_t *from, unsigned have, unsigned *n, process_t *to) {
    if (!to || *n < have) { *n = have; return 7; }
    memcpy(to, from, have * sizeof *from); *n = have; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, process_t *p) {
    process_t one[] = {{101, 512ull << 20, -1, -1}, {102, ~0ull, -1, -1}}; return list(one, 2, n, p); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *h, unsigned *n, process_t *p) {
    process_t one[] = {{101, 512ull << 20, -1, -1}, {103, 7ull << 20, -1, -1}}; return list(one, 2, n, p); }
"""
ASK = """
from branchlab.sandbox import nvml
from branchlab.targets.errors import SandboxError
driver = nvml.connect()
print(driver.devices())
print(driver.used_mb("GPU-1"), sorted((p.pid, p.memory_mb) for p in driver.processes("MIG-0")))
try:
    driver.processes("GPU-9")
except SandboxError as error:
    print(error)
"""


def test_the_seam_asks_pynvml_as_pynvml_wants_to_be_asked(tmp_path: Path) -> None:
    """The real package over a stand-in of the driver's library: the only part that is not the driver's own."""
    gpu_hosts.build_library(tmp_path, "libnvidia-ml.so.1", DRIVER)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    divided = nvml.MigDevice("MIG-0", 5, 0, 8192.0)
    devices = (
        nvml.Device("GPU-0", "NVIDIA Stand-in", 1, 8192.0),
        nvml.Device("GPU-1", "NVIDIA Stand-in", 0, 8192.0, (divided,)),
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        str(devices),
        f"3.0 {[(101, 512.0), (102, None), (103, 7.0)]}",
        "GPU-9: the NVIDIA driver does not list a GPU's processes; found Not Found",
    ]


def test_a_host_without_the_drivers_library_says_so(tmp_path: Path) -> None:
    code = "from branchlab.sandbox import nvml; nvml.connect()"
    # A library of that name that is none, before any real one.
    (tmp_path / "libnvidia-ml.so.1").write_text("")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert "GPUs cannot be looked at; found NVML Shared Library Not Found; fix: install" in last
    assert "libnvidia-ml.so.1" in last

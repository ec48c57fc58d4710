"""What only a real NVIDIA GPU can show. Never run so far: written to what others report of the driver (`gpu_rows.py`).

python -m pytest -m gpu tests/sandbox/test_on_a_gpu.py -rs
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from branchlab.sandbox import environments, gpu_inventory, gpu_probe
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.gpu import Gpu
from branchlab.sandbox.gpu_inventory import Inventory
from branchlab.sandbox.gpu_runner import OnGpus, on_gpus
from branchlab.sandbox.runner import ANY_GPU, Limits, Runner, RunRequest, RunResult

from .gpu_rows import NAMES, rows

pytestmark = pytest.mark.gpu

ALLOCATE = """
import ctypes, sys, time
driver = ctypes.CDLL("libcuda.so.1")
def check(code):
    if code:
        raise SystemExit(f"CUDA {code}")
device, context, memory, count = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_int()
check(driver.cuInit(0))
check(driver.cuDeviceGetCount(ctypes.byref(count)))
print("devices", count.value, flush=True)
check(driver.cuDeviceGet(ctypes.byref(device), 0))
check(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
check(driver.cuCtxSetCurrent(context))
check(driver.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(int(sys.argv[1]) << 20)))
print("allocated", flush=True)
time.sleep(float(sys.argv[2]))
"""


@cache
def here() -> Inventory:
    return gpu_inventory.find()


@cache
def sandbox() -> Runner:
    return Bubblewrap()


@cache
def runner() -> OnGpus:
    return on_gpus(sandbox(), 1, here())


@pytest.fixture
def card() -> Gpu:
    """A GPU of this host as CUDA starts on it, or a skip with the reason."""
    usable = [one for one in here().usable if one.kind == "nvidia"]
    if not usable:
        pytest.skip(f"no NVIDIA GPU here: {here().fault or 'none found'}")
    return next(one for one in runner()._inventory.gpus if one.uuid == usable[0].uuid)


@cache
def driver_version() -> int:
    nvml = import_module("pynvml")
    nvml.nvmlInit()
    return int(str(nvml.nvmlSystemGetDriverVersion()).split(".")[0])


def run(
    on: Callable[[RunRequest], RunResult], folder: Path, code: str, *words: str, limits: Limits | None = None
) -> RunResult:
    work, out = folder / "work", folder / "out"
    work.mkdir()
    out.mkdir()
    argv = ("python", "-I", "-S", "-c", code, *words)
    wanted = limits or Limits(120, 4096, 64, 64)
    return on(RunRequest(argv, environments.find(), work, out, wanted, gpu=ANY_GPU))


def test_cuda_starts_in_the_sandbox(card: Gpu) -> None:
    answer = gpu_probe.probe(sandbox(), card)
    assert answer.works, answer.text


@pytest.mark.parametrize("left_out", NAMES)
def test_cuda_does_not_start_with_one_thing_left_out(left_out: str, card: Gpu) -> None:
    row = rows(card).get(left_out)
    if row is None:
        pytest.skip("this kernel has no Landlock to leave that out with")
    if driver_version() < row.since:
        pytest.skip(f"driver {driver_version()}: needed from {row.since} on")
    answer = gpu_probe.probe(sandbox(), row.view, before=row.before)
    assert not answer.works, f"the driver starts without {left_out}: it need not be shown"


def test_only_one_gpu_of_several_is_there_even_for_code_that_asks_for_all(card: Gpu, tmp_path: Path) -> None:
    if len(here().usable) < 2:
        pytest.skip("needs two GPUs")
    code = "import os; del os.environ['CUDA_VISIBLE_DEVICES']; os.unsetenv('CUDA_VISIBLE_DEVICES')\n" + ALLOCATE
    result = run(runner().run, tmp_path, code, "16", "0")
    assert result.log_head.splitlines() == ["devices 1", "allocated"], result


def test_address_space_must_not_be_limited(card: Gpu, tmp_path: Path) -> None:
    """Why RLIMIT_AS is in no table of limits."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n" + ALLOCATE
    result = run(runner().run, tmp_path, code, "16", "0")
    assert "allocated" not in result.log_head


def test_the_memory_of_a_run_is_seen_held_and_given_back(card: Gpu, tmp_path: Path) -> None:
    meter = here().meters[card.uuid]
    only = OnGpus(sandbox(), replace(here(), gpus=(card,)))
    before = meter.used_mb(card.uuid)
    quiet = run(only.run, tmp_path, ALLOCATE, "512", "2")
    assert quiet.status == "ok", quiet
    assert quiet.gpu
    assert quiet.gpu.peak_memory_mb >= 512
    (tmp_path / "second").mkdir()
    limits = Limits(120, 4096, 64, 64, gpu_memory_mb=1024)
    ended = run(only.run, tmp_path / "second", ALLOCATE, "2048", "60", limits=limits)
    assert (ended.status, ended.kill_reason) == ("out_of_memory", "gpu_memory")
    assert re.search(r"of 1024 MB of GPU memory", ended.reason)
    assert meter.used_mb(card.uuid) <= before + 64, "the memory of a killed run was not given back"

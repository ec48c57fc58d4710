"""A run's memory on the GPU it holds, and who else is there; with a made-up driver and real processes."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.sandbox import environments
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.fake_nvml import FakeNvml
from branchlab.sandbox.gpu_runner import OnGpus
from branchlab.sandbox.gpu_watch import GpuWatch
from branchlab.sandbox.nvml import GpuProcess
from branchlab.sandbox.runner import ANY_GPU, Limits, Runner, RunRequest, RunResult
from branchlab.sandbox.unconfined import Unconfined
from branchlab.targets.errors import SandboxError

from . import gpu_hosts

ISOLATED = pytest.param(Bubblewrap, id="bubblewrap")
PLAIN = pytest.param(Unconfined, id="unconfined")


def made(kind: Callable[[], Runner]) -> Runner:
    """The backend, or a skip; a failure where the environment says that a sandbox must be there."""
    try:
        return kind()
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))


def sleeping(folder: Path, limits: Limits) -> RunRequest:
    work, out = folder / "work", folder / "out"
    work.mkdir(parents=True)
    out.mkdir()
    # In a grandchild, under a name that is looked for on the host: inside, its number is another one.
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-I', '-S', '-c', "
        "'import sys, time; open(sys.argv[2], \"w\").close(); time.sleep(300)', sys.argv[1], sys.argv[2]])"
    )
    argv = ("python", "-I", "-S", "-c", code, f"branchlab-gpu-{folder.name}", "{out}/up")
    return RunRequest(argv, environments.find(), work, out, limits, gpu=ANY_GPU)


def worker_of(folder: Path, thread: threading.Thread, up: Path) -> int:
    """Process id, on this host, of the run's last process; waits for it."""
    mark = f"branchlab-gpu-{folder.name}".encode()
    while thread.is_alive():
        thread.join(0.01)
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if (
                mark in words
                and not any(word.startswith(b"import subprocess") for word in words)
                and b"--" not in words
            ):
                found.append(int(pid))
        if found and up.exists():
            return max(found)
    raise AssertionError("the run ended before it was looked at")


@pytest.mark.parametrize("kind", [ISOLATED, PLAIN])
def test_a_run_is_ended_for_the_gpu_memory_of_its_own_processes(kind: Callable[[], Runner], tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path / "host", 1)
    uuid = inventory.gpus[0].uuid
    driver.put(uuid, os.getpid(), 50000.0)  # another's: never blamed on the run
    # A node that every host has stands in for the GPU's.
    shown = replace(inventory.gpus[0], node="/dev/full", others=(), root=Path("/"))
    runner = OnGpus(made(kind), replace(inventory, gpus=(shown,)))
    request = sleeping(tmp_path / kind.__name__, Limits(120, 256, 64, 64, gpu_memory_mb=2000))
    results: list[RunResult] = []
    thread = threading.Thread(target=lambda: results.append(runner.run(request)))
    thread.start()
    worker = worker_of(tmp_path / kind.__name__, thread, request.out / "up")
    driver.put(uuid, worker, 1500.0)
    looks = driver.looks
    while driver.looks < looks + 3 and thread.is_alive():
        thread.join(0.01)
    assert thread.is_alive(), "ended below its limit"
    driver.put(uuid, worker, 2500.0)
    thread.join(60)
    assert not thread.is_alive()
    result = results[0]
    assert (result.status, result.kill_reason) == ("out_of_memory", "gpu_memory")
    assert result.reason == "used 2500 MB of 2000 MB of GPU memory"
    assert result.limits_kind.endswith(", gpu memory")
    assert result.gpu
    assert result.gpu.devices == (uuid,)
    assert result.gpu.peak_memory_mb == 2500.0
    assert (result.gpu.others_at_start, result.gpu.others_at_start_mb) == (1, 50000.0)
    assert (result.gpu.others_at_end, result.gpu.others_at_end_mb) == (1, 50000.0)
    assert not os.path.exists(f"/proc/{worker}"), "a process of the run is left"


class Taken:
    """A driver that gives a dead process's memory back only when it was asked so many times."""

    def __init__(self, driver: FakeNvml, pid: int, looks: int) -> None:
        self._driver, self._pid, self._left = driver, pid, looks

    def used_mb(self, uuid: str) -> float:
        return self._driver.used_mb(uuid)

    def processes(self, uuid: str) -> tuple[GpuProcess, ...]:
        self._left -= 1
        if self._left == 0:
            self._driver.take_off(uuid, self._pid)
        return self._driver.processes(uuid)


def no_stop() -> None:
    return None


def test_the_gpu_is_not_given_on_before_its_memory_is_given_back(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 1)
    one = inventory.gpus[0]
    driver.put(one.uuid, 4711, 100.0)
    meter = Taken(driver, os.getpid(), 5)
    watch = GpuWatch(one, meter, None, no_stop)
    driver.put(one.uuid, os.getpid(), 700.0)
    assert watch.look((os.getpid(),)) is None
    driver.put(one.uuid, 4712, 30.0)
    use = watch.end(1.5)
    assert (use.peak_memory_mb, use.waited_seconds) == (700.0, 1.5)
    assert (use.others_at_start, use.others_at_start_mb) == (1, 100.0)
    assert (use.others_at_end, use.others_at_end_mb) == (2, 130.0)
    assert [p.pid for p in driver.processes(one.uuid)] == [4711, 4712]


@pytest.mark.parametrize(
    ("pid", "memory"),
    [pytest.param(2**22 + 5, 3000.0, id="numbers of another namespace"), pytest.param(os.getpid(), None, id="WSL2")],
)
def test_where_processes_cannot_be_told_apart_the_devices_own_figure_counts(
    tmp_path: Path, pid: int, memory: float | None
) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 1)
    uuid = inventory.gpus[0].uuid
    driver.put(uuid, 4711, 500.0)
    watch = GpuWatch(inventory.gpus[0], driver, 2000, no_stop)
    driver.put(uuid, pid, memory)
    driver.use_unseen(uuid, 3000.0 if memory is None else 0.0)
    stop = watch.look((os.getpid(),))
    assert stop
    assert stop.reason == "used 3000 MB of 2000 MB of GPU memory"


def test_a_process_that_has_just_ended_is_no_reason_to_count_the_whole_device(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 1)
    uuid = inventory.gpus[0].uuid
    watch = GpuWatch(inventory.gpus[0], Taken(driver, 2**22 + 5, 3), 2000, no_stop)
    driver.put(uuid, 2**22 + 5, 10.0)  # the second look at it finds it gone
    driver.put(uuid, 1, 9000.0)
    driver.put(uuid, os.getpid(), 100.0)
    assert watch.look((os.getpid(),)) is None

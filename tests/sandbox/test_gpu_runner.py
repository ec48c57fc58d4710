"""One run per GPU at a time, watched there; with a made-up driver and real processes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.sandbox import command, gpu_inventory, gpu_probe, gpu_report
from branchlab.sandbox.fake import FakeRunner, failed, ok
from branchlab.sandbox.fake_nvml import FakeNvml
from branchlab.sandbox.gpu_inventory import Inventory
from branchlab.sandbox.gpu_runner import OnGpus, on_gpus
from branchlab.sandbox.lease import lease
from branchlab.sandbox.nvml import Device
from branchlab.sandbox.runner import ANY_GPU, Limits, Runner, RunRequest, RunResult
from branchlab.targets.errors import SandboxError, UsageError

from . import gpu_hosts

REQUEST = RunRequest(("true",), command.system_interpreter(), Path("/w"), Path("/o"), Limits(60), gpu=ANY_GPU)


class Busy:
    """A runner whose runs last until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.holding: list[str | None] = []
        self.most = 0
        self._lock = threading.Lock()
        self.runner = FakeRunner(self._answer)

    def _answer(self, request: RunRequest) -> RunResult:
        with self._lock:
            self.holding.append(request.gpu)
            self.most = max(self.most, len(self.holding))
            assert len(set(self.holding)) == len(self.holding), "two runs on one GPU"
        self.begun.release()
        assert self.go.acquire(timeout=60)
        with self._lock:
            self.holding.remove(request.gpu)
        return ok()


@contextmanager
def running(runner: Runner, count: int, request: RunRequest = REQUEST) -> Iterator[list[RunResult]]:
    """That many runs, each in a thread; all of them have ended on leaving."""
    results: list[RunResult] = []
    threads = [threading.Thread(target=lambda: results.append(runner.run(request))) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield results
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_each_run_has_a_gpu_of_its_own_and_the_others_wait_without_charge(tmp_path: Path) -> None:
    inventory, _ = gpu_hosts.host(tmp_path, 2)
    busy = Busy()
    with running(OnGpus(busy.runner, inventory), 3) as results:
        assert busy.begun.acquire(timeout=60)
        assert busy.begun.acquire(timeout=60)
        assert not busy.begun.acquire(timeout=0.7), "a third run began on two GPUs"
        assert sorted(map(str, busy.holding)) == sorted(g.uuid for g in inventory.gpus)
        for _ in range(3):
            busy.go.release()
    assert busy.most == 2
    assert [r.status for r in results] == ["ok"] * 3
    last = max(results, key=lambda r: r.gpu.waited_seconds if r.gpu else -1.0)
    assert last.gpu
    assert last.gpu.waited_seconds >= 0.7
    assert last.device_seconds < last.gpu.waited_seconds, "waiting for a GPU was charged as using it"


def test_the_gpu_with_the_most_free_memory_is_taken_first(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 3)
    first, second, third = (g.uuid for g in inventory.gpus)
    driver.put(first, 1, 70000.0)
    driver.put(third, 1, 1000.0)
    busy = Busy()
    order = []
    with running(OnGpus(busy.runner, inventory), 1):
        assert busy.begun.acquire(timeout=60)
        order += busy.holding
        with running(OnGpus(busy.runner, inventory), 1):
            assert busy.begun.acquire(timeout=60)
            order += [g for g in busy.holding if g not in order]
            busy.go.release(2)
    assert order == [second, third]


def test_a_run_without_a_gpu_is_none_of_its_business(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 1)
    driver.fault = "GPU is lost"
    runner = OnGpus(FakeRunner(lambda request: ok()), inventory)
    result = runner.run(replace(REQUEST, gpu=None))
    assert (result.status, result.gpu) == ("ok", None)


def test_a_gpu_can_be_asked_for_by_name(tmp_path: Path) -> None:
    inventory, _ = gpu_hosts.host(tmp_path, 3)
    fake = FakeRunner(lambda request: ok())
    OnGpus(fake, inventory).run(replace(REQUEST, gpu=inventory.gpus[1].uuid))
    assert fake.requests[0].gpu_view == inventory.gpus[1]
    with pytest.raises(SandboxError, match=r"no such GPU.*GPU-none.*doctor"):
        OnGpus(fake, inventory).run(replace(REQUEST, gpu="GPU-none"))


def test_cancel_ends_those_that_wait_and_those_that_run(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 1)
    busy = Busy()
    runner = OnGpus(busy.runner, inventory)
    with running(runner, 2) as results:
        assert busy.begun.acquire(timeout=60)
        while driver.looks < 10:  # the one that runs asked three times; the other one is looking for a free GPU
            assert not busy.begun.acquire(timeout=0.01)
        runner.cancel()
        assert busy.runner.cancelled
        busy.go.release()
    waited = next(r for r in results if r.status == "killed")
    assert (waited.kill_reason, waited.device_seconds) == ("cancelled", 0.0)
    assert len(busy.runner.requests) == 1, "a cancelled run began"


HOLD = """
import sys
from branchlab.sandbox.lease import lease
with lease("gpu", sys.argv[1:]) as held:
    print(*held, flush=True)
    sys.stdin.read()
"""


def test_a_lease_holds_between_processes_and_users_and_ends_with_a_kill(tmp_path: Path) -> None:
    inventory, _ = gpu_hosts.host(tmp_path, 1)
    uuid = inventory.gpus[0].uuid
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, uuid], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    assert other.stdout.readline().strip() == uuid
    third = subprocess.run(
        [sys.executable, "-c", HOLD, uuid], input="", capture_output=True, text=True, timeout=60, check=True
    )
    assert third.stdout.strip() == "", "two processes hold one GPU"
    busy = Busy()
    with running(OnGpus(busy.runner, inventory), 1):
        assert not busy.begun.acquire(timeout=0.5)
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert busy.begun.acquire(timeout=60), "the lease of a killed process was not given back"
        busy.go.release()
    other.stdin and other.stdin.close()
    other.stdout.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_lease_holds_against_another_user(tmp_path: Path) -> None:
    uuid = gpu_hosts.new_uuid()
    code = (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX)\n"
        "try: s.bind('\\0branchlab-gpu-' + sys.argv[1])\nexcept OSError as error: print(error.errno)\nelse: print('free')"
    )

    def ask() -> str:
        words = ["/usr/bin/env", "python3", "-c", code, uuid]
        done = subprocess.run(words, user=60321, group=60321, extra_groups=[], cwd="/", capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin"}, timeout=60, check=True)  # fmt: skip
        return done.stdout.strip()

    with lease("gpu", [uuid]) as held:
        assert held == (uuid,)
        assert ask() == "98"  # EADDRINUSE
    assert ask() == "free"


def test_more_jobs_than_gpus_and_no_gpu_are_refused_before_anything_runs(tmp_path: Path) -> None:
    fake = FakeRunner(lambda request: ok(log="cuInit 0\n"))
    inventory, _ = gpu_hosts.host(tmp_path, 2)
    with pytest.raises(UsageError, match="--jobs 3; fix: --jobs 2"):
        on_gpus(fake, 3, inventory)
    with pytest.raises(SandboxError, match=r"none on this host; fix: .*limits.gpu = false") as refused:
        on_gpus(fake, 1, Inventory((), {}))
    assert refused.value.exit_code == 4
    with pytest.raises(SandboxError, match="nvidia-ml-py"):
        on_gpus(fake, 1, Inventory((), {}, "wanted nvidia-ml-py"))
    assert fake.requests == []
    assert isinstance(on_gpus(fake, 2, inventory), OnGpus)


def test_sys_is_shown_narrow_and_whole_only_where_cuda_needs_it(tmp_path: Path) -> None:
    inventory, _ = gpu_hosts.host(tmp_path, 1)

    def driver_that_needs_all_of_sys(request: RunRequest) -> RunResult:
        assert request.gpu_view
        return ok(log=f"cuInit {0 if request.gpu_view.sysfs == ('/sys',) else 304}\n")

    fake = FakeRunner(lambda request: ok(log="cuInit 0\n"))
    on_gpus(fake, 1, inventory).run(REQUEST)
    assert fake.requests[-1].gpu_view == inventory.gpus[0]
    needy = FakeRunner(driver_that_needs_all_of_sys)
    on_gpus(needy, 1, inventory).run(REQUEST)
    assert needy.requests[-1].gpu_view == replace(inventory.gpus[0], sysfs=("/sys",))
    with pytest.raises(SandboxError, match=r"does not start.*failed with 304.*uvm-tools.*memfd_create"):
        on_gpus(FakeRunner(lambda request: ok(log="cuInit 304\n")), 1, inventory)


@pytest.mark.parametrize(
    ("result", "code", "text"),
    [(ok(log="cuInit 0\n"), 0, "works"), (ok(log="noise\ncuInit 100\n"), 100, "no device"),
     (ok(log="cuInit 12345\n"), 12345, "cuda.h"), (failed("ended by SIGSEGV"), None, "ended by SIGSEGV"),
     (ok(log="cuInit missing libcuda.so.1: cannot open\n"), None, "cannot be loaded inside: libcuda.so.1"),
     (ok(log=""), None, "no output")],
)  # fmt: skip
def test_what_cuinit_said_becomes_words(tmp_path: Path, result: RunResult, code: int | None, text: str) -> None:
    answer = gpu_probe.probe(FakeRunner(lambda request: result), gpu_hosts.host(tmp_path, 1)[0].gpus[0])
    assert (answer.code, answer.works) == (code, code == 0)
    assert text in answer.text


def test_an_amd_gpu_is_taken_without_that_probe(tmp_path: Path) -> None:
    gpu_hosts.amd(tmp_path, (128,))
    fake = FakeRunner(lambda request: ok())
    result = on_gpus(fake, 1, gpu_inventory.find(tmp_path)).run(REQUEST)
    assert len(fake.requests) == 1
    assert result.gpu
    assert (result.gpu.others_at_start, result.gpu.others_at_start_mb) == (1, 1024.0)
    assert result.limits_kind == "none", "a backend that never asked the watch holds no GPU memory"


def test_a_gpu_that_is_lost_ends_the_run_without_blame(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 1)

    def lost(request: RunRequest) -> RunResult:
        driver.fault = "GPU is lost"
        assert request.gpu_watch
        stop = request.gpu_watch((os.getpid(),))
        assert stop
        assert (stop.status, stop.kind) == ("sandbox_failed", "sandbox")
        return ok()

    result = OnGpus(FakeRunner(lost), inventory).run(REQUEST)
    assert (result.status, result.kill_reason) == ("sandbox_failed", "sandbox")
    assert "GPU is lost" in result.reason
    driver.fault = ""
    with lease("gpu", [inventory.gpus[0].uuid]) as held:
        assert held, "the lease was not given back"


def test_doctor_says_what_it_knows_of_each_gpu(tmp_path: Path) -> None:
    inventory, driver = gpu_hosts.host(tmp_path, 2)
    first, second = inventory.gpus
    driver.put(first.uuid, 1, 1000.0)
    lines = gpu_report.describe(inventory, FakeRunner(lambda request: ok(log="cuInit 0\n")))
    assert [line.works for line in lines] == [True, True]
    for part in ("NVIDIA Test 0", first.uuid, "minor 0", "81920 MB", "1003 MB in use by 1 process", "cuInit works"):
        assert part in lines[0].detail
    assert "by nobody" in lines[1].detail
    failed_lines = gpu_report.describe(inventory, FakeRunner(lambda request: ok(log="cuInit 999\n")))
    assert not any(line.works for line in failed_lines)
    assert "999" in failed_lines[0].detail
    assert "docs/sandbox.md" in failed_lines[0].fix
    assert "no sandbox works here" in gpu_report.describe(inventory, None)[0].detail
    assert gpu_report.describe(Inventory((), {}), None)[0].detail.startswith("none: runs use CPU cores")
    unwatched = gpu_report.describe(Inventory((second,), {}, "no pynvml; fix: install it"), None)
    assert (unwatched[0].detail, unwatched[0].fix) == ("no pynvml", "install it")
    assert "no run gets it" in unwatched[1].detail


def test_doctor_of_divided_and_amd_gpus(tmp_path: Path) -> None:
    fake = FakeRunner(lambda request: ok(log="cuInit 0\n"))
    gpu_hosts.amd(tmp_path / "amd", (128,))
    line = gpu_report.describe(gpu_inventory.find(tmp_path / "amd"), fake)[0]
    assert line.works
    assert "renderD128" in line.detail
    assert "no start-up probe" in line.detail
    (tmp_path / "mig").mkdir()
    lines = gpu_report.describe(gpu_inventory.find(tmp_path / "mig", gpu_hosts.divided(tmp_path / "mig")), fake)
    assert ["MIG 1/0" in lines[0].detail, "MIG 2/0" in lines[1].detail] == [True, True]


def test_the_fake_knows_only_its_own_devices() -> None:
    fake = FakeNvml([Device("GPU-x", "X", 0, 100.0)])
    with pytest.raises(SandboxError, match="Not Found"):
        fake.put("GPU-y", 1, 1.0)
    with pytest.raises(SandboxError, match="GPU-y"):
        fake.processes("GPU-y")

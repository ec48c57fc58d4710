"""What a run that holds a GPU finds inside. Real sandboxes; device nodes that are the host's /dev/zero under the driver's
names, and a library that refuses to start for the reasons for which the real driver is known to."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from branchlab.sandbox import environments, gpu_inventory, gpu_probe, gpu_runner
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.fake_nvml import FakeNvml
from branchlab.sandbox.gpu import Gpu
from branchlab.sandbox.limits import rlimits
from branchlab.sandbox.runner import ANY_GPU, Limits, Runner, RunRequest, RunResult
from branchlab.sandbox.unconfined import Unconfined
from branchlab.targets.errors import SandboxError

from . import gpu_hosts
from .gpu_rows import NAMES, rows

ROOT = os.geteuid() == 0
pytestmark = pytest.mark.skipif(not ROOT, reason="needs root to make device nodes")
BACKENDS: dict[str, Callable[[], Runner]] = {
    "bubblewrap": Bubblewrap,
    "bubblewrap-as-root": lambda: Bubblewrap(drop=False),
}
MADE: dict[str, Runner] = {}

# 304 for what the driver is known to need, 100 for a device that cannot be opened. SYS is compiled in.
CUDA = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static int opens(const char *path) { char c; int f = open(path, O_RDWR); return f >= 0 && read(f, &c, 1) == 1; }
static int lists(const char *path) { DIR *d = opendir(path); return d && readdir(d); }
int cuInit(unsigned flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/comm", syscall(SYS_gettid));
    int comm = open(path, O_WRONLY);
    if (comm < 0 || write(comm, "cuda", 4) != 4) return 304;
    if (memfd_create("cuda", 0) < 0) return 304;
    if (!lists("/sys/devices") || !lists("/sys/bus/pci") || !lists(SYS)) return 304;
    if (!opens("/dev/nvidiactl") || !opens("/dev/nvidia-uvm") || !opens("/dev/nvidia-uvm-tools")) return 304;
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "/dev/nvidia%d", i);
        if (opens(path)) return 0;
    }
    return 100;
}
"""


@dataclass(frozen=True)
class Host:
    driver: FakeNvml
    gpus: tuple[Gpu, ...]
    folder: Path
    inventory: gpu_inventory.Inventory


def backend(name: str) -> Runner:
    try:
        if name not in MADE:
            MADE[name] = BACKENDS[name]()
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))
    return MADE[name]


@pytest.fixture(scope="module")
def library() -> Iterator[Path]:
    """Folder of the stand-in library. Not in pytest's own folders, which are closed to other users, nor in /tmp, which is
    another one inside."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        gpu_hosts.build_library(Path(folder, "lib"), "libcuda.so.1", f'#define SYS "/sys/devices"\n{CUDA}')
        gpu_hosts.build_library(Path(folder, "picky"), "libcuda.so.1", f'#define SYS "/sys/class"\n{CUDA}')
        yield Path(folder)


@pytest.fixture
def host(library: Path) -> Iterator[Host]:
    """Three GPUs whose order is not that of their minor numbers."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder)
        root.chmod(0o755)
        driver = gpu_hosts.nvidia(root, (2, 0, 1))
        for node in (root / "dev").iterdir():
            node.unlink()
            try:
                os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 5))
                node.chmod(0o666)
                node.open("rb").close()
            except OSError as error:
                pytest.skip(f"device nodes cannot be made or opened here: {error}")
        found = gpu_inventory.find(root, driver)
        path = str(library / "lib")
        gpus = tuple(replace(one, libraries=(path,), library_path=path) for one in found.gpus)
        yield Host(driver, gpus, root, replace(found, gpus=gpus))


def ask(runner: Runner, code: str, folder: Path, one: Gpu | None) -> RunResult:
    work, out = folder / "work", folder / "out"
    for path in (work, out):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    argv = ("python", "-I", "-S", "-c", code)
    uuid = one.uuid if one else None
    return runner.run(RunRequest(argv, environments.find(), work, out, Limits(60, 512, 64, 64), gpu=uuid, gpu_view=one))


LIST = """
import os
print(sorted(name for name in os.listdir("/dev") if name.startswith("nvidia")), os.environ["CUDA_VISIBLE_DEVICES"])
with open("/dev/nvidia-uvm", "r+b", buffering=0) as node:
    print(node.write(b"x"), node.read(2))
try:
    os.mknod("/dev/nvidia0", 0o20666, os.makedev(1, 5))
    print("made")
except OSError:
    pass
"""


@pytest.mark.parametrize("name", BACKENDS)
def test_one_node_of_several_is_there_and_works(name: str, host: Host, tmp_path: Path) -> None:
    for minor, one in zip((2, 0, 1), host.gpus, strict=True):
        result = ask(backend(name), LIST, tmp_path, one)
        shown = sorted(f"nvidia{rest}" for rest in (minor, "-uvm", "-uvm-tools", "ctl"))
        assert result.log_head.splitlines() == [f"{shown} {one.uuid}", "1 b'\\x00\\x00'"], result


@pytest.mark.parametrize("name", BACKENDS)
def test_a_run_without_a_gpu_sees_no_node(name: str, host: Host, tmp_path: Path) -> None:
    code = (
        "import os; print([n for n in os.listdir('/dev') if 'nvidia' in n], repr(os.environ['CUDA_VISIBLE_DEVICES']))"
    )
    assert ask(backend(name), code, tmp_path, None).log_head.strip() == "[] ''"


@pytest.mark.parametrize("name", BACKENDS)
def test_the_hosts_nodes_cannot_be_changed_from_inside(name: str, host: Host, tmp_path: Path) -> None:
    code = (
        "import os\nfor act in (lambda p: os.chmod(p, 0), lambda p: os.chown(p, 0, 0), os.unlink,"
        " lambda p: os.utime(p, (1, 1))):\n"
        "    for node in ('/dev/nvidia2', '/dev/nvidiactl'):\n"
        "        try: act(node)\n        except OSError: pass\n        else: print('broke', act, node)\nprint('held')"
    )
    before = {node.name: node.stat() for node in (host.folder / "dev").iterdir()}
    result = ask(backend(name), code, tmp_path, host.gpus[0])
    assert {node.name: node.stat() for node in (host.folder / "dev").iterdir()} == before
    assert result.log_head.strip() == "held", result


@pytest.mark.parametrize("name", BACKENDS)
def test_cuda_starts_with_everything_and_with_no_row_left_out(name: str, host: Host) -> None:
    runner = backend(name)
    found = {
        left_out: gpu_probe.probe(runner, row.view, before=row.before) for left_out, row in rows(host.gpus[0]).items()
    }
    assert set(found) - {"writes to its own comm"} == {"nothing", *NAMES} - {"writes to its own comm"}
    assert {left_out: answer.code for left_out, answer in found.items() if left_out != "nothing"} == dict.fromkeys(
        set(found) - {"nothing"}, 304
    )
    assert found["nothing"].code == 0
    for folder in ("/sys/devices", "/sys/bus/pci"):
        rest = tuple(other for other in host.gpus[0].sysfs if other != folder)
        assert gpu_probe.probe(runner, replace(host.gpus[0], sysfs=rest)).code == 304, folder
    missing = gpu_probe.probe(runner, replace(host.gpus[0], libraries=()))
    assert missing.code is None
    assert "libcuda.so.1" in missing.text


@pytest.mark.parametrize("name", BACKENDS)
def test_a_driver_that_needs_more_of_sys_gets_all_of_it(name: str, host: Host, library: Path) -> None:
    path = str(library / "picky")
    picky = replace(host.gpus[0], libraries=(path,), library_path=path)
    assert gpu_probe.probe(backend(name), picky).code == 304
    assert gpu_runner.prepare(backend(name), picky).sysfs == ("/sys",)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_node_that_is_gone_is_no_fault_of_the_command(name: str, host: Host, tmp_path: Path) -> None:
    (host.folder / "dev/nvidia2").unlink()
    result = ask(backend(name), "print('ran')", tmp_path, host.gpus[0])
    assert result.status == "sandbox_failed"
    assert "nvidia2" in result.reason


def test_a_node_that_only_its_group_may_open_works_for_the_user_that_root_becomes(host: Host, tmp_path: Path) -> None:
    runner = backend("bubblewrap")
    one = host.gpus[0]
    for node in (host.folder / "dev").iterdir():
        os.chown(node, 0, 44)
        node.chmod(0o660)
    result = ask(runner, LIST.partition("try:")[0], tmp_path, one)
    assert "1 b'\\x00\\x00'" in result.log_head, result
    for node in (host.folder / "dev").iterdir():
        node.chmod(0o600)
    if result.backend == "bubblewrap":
        assert ask(runner, "open('/dev/nvidia2', 'rb')", tmp_path, one).status == "failed"


DRIVER_NEEDS = """
import os, resource, threading
def name_itself():
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write("cuda-worker")
    print(open(f"/proc/self/task/{threading.get_native_id()}/comm").read().strip(), flush=True)
name_itself()
thread = threading.Thread(target=name_itself)
thread.start()
thread.join()
child = os.fork()
if child == 0:
    if os.fork() == 0:
        name_itself()
    else:
        os.wait()
    os._exit(0)
os.waitpid(child, 0)
os.write(os.memfd_create("x"), b"x")
print(resource.getrlimit(resource.RLIMIT_AS) == (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(os.path.isdir("/proc/driver") and bool(os.statvfs("/proc/driver").f_flag & os.ST_RDONLY))
"""


@pytest.mark.parametrize("name", BACKENDS)
def test_what_a_driver_needs_of_proc_and_the_kernel_is_allowed(name: str, tmp_path: Path) -> None:
    """Of an ordinary process: its own name, a memfd, address space without end, the drivers' files."""
    sealed = os.path.isdir("/proc/driver")  # settings of drivers that root inside, uid 0 to the kernel, could write
    result = ask(backend(name), DRIVER_NEEDS, tmp_path, None)
    assert result.log_head.splitlines() == ["cuda-worker"] * 3 + ["True", str(sealed)], result


def test_address_space_is_never_limited() -> None:
    assert "as" not in rlimits(Limits(1))
    assert "data" not in rlimits(Limits(1))


def test_a_run_holds_one_gpu_from_the_request_to_the_result(host: Host, tmp_path: Path) -> None:
    """All of it together: inventory, probe, lease, sandbox, record."""
    host.driver.put(host.gpus[1].uuid, 1, 100.0)
    host.driver.put(host.gpus[2].uuid, 1, 50.0)
    runner = gpu_runner.on_gpus(backend("bubblewrap"), 3, host.inventory)
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    out.mkdir()
    argv = ("python", "-I", "-S", "-c", LIST)
    result = runner.run(RunRequest(argv, environments.find(), work, out, Limits(60, 512, 64, 64), gpu=ANY_GPU))
    assert result.status == "ok", result
    assert "nvidia2" in result.log_head
    assert result.gpu
    assert result.gpu.devices == (host.gpus[0].uuid,)
    assert (result.gpu.peak_memory_mb, result.gpu.others_at_start, result.gpu.others_at_end) == (0.0, 0, 0)


def test_an_unconfined_run_is_told_its_gpu_and_can_reach_the_others(host: Host, tmp_path: Path) -> None:
    """What CUDA_VISIBLE_DEVICES is worth: advice."""
    code = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], len(os.listdir(sys.argv[1])))"
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    out.mkdir()
    argv = ("python", "-I", "-S", "-c", code, str(host.folder / "dev"))
    runner = gpu_runner.OnGpus(Unconfined(), host.inventory)
    result = runner.run(
        RunRequest(argv, environments.find(), work, out, Limits(60, 512, 64, 64), gpu=host.gpus[2].uuid)
    )
    assert result.log_head.split() == [host.gpus[2].uuid, "6"]
    assert gpu_probe.probe(Unconfined(), host.gpus[0]).code in (100, 304), "its nodes are not below the host's /dev"

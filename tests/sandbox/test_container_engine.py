"""What only a real engine can show. Runs where one is configured (see container_image.py), else is skipped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from branchlab.sandbox import engine, environments, leftovers, processes, view
from branchlab.sandbox.docker import ContainerRunner
from branchlab.sandbox.runner import Limits, RunRequest, RunResult
from branchlab.sandbox.supervise import adopt_orphans
from branchlab.targets.errors import SandboxError

pytestmark = pytest.mark.skipif(
    not engine.configured(), reason=f"no container engine and image are configured ({engine.IMAGE})"
)
LIMITS = Limits(wall_seconds=120, memory_mb=256, disk_mb=64, processes=64)


@pytest.fixture(scope="module")
def runner() -> ContainerRunner:
    return ContainerRunner()


def ask(folder: Path, program: str, *, writable: bool = False) -> RunRequest:
    work, out = folder / "w", folder / "o"
    work.mkdir()
    out.mkdir()
    argv = ("python", "-I", "-c", program, "{out}")
    return RunRequest(argv, environments.find(), work, out, LIMITS, work_writable=writable)


def run(runner: ContainerRunner, folder: Path, program: str, *, writable: bool = False) -> RunResult:
    return runner.run(ask(folder, program, writable=writable))


def containers() -> list[str]:
    found = engine.find()
    label = f"label=branchlab.host={leftovers.host()}"
    return found.ask("ps", "--all", "--filter", label, "--format", "{{.Names}}").stdout.split()


def test_the_engine_itself_holds_memory_and_processes(runner: ContainerRunner) -> None:
    assert runner.limits_kind == "engine cgroup, watchdog, rlimits, seccomp"


SYSTEM_CALLS = """
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
allowed = []
for number, arguments in ((250, (0, 0)), (321, (0, 0, 0)), (425, (1, 0)), (101, (0, 0, 0)), (165, (0, 0, 0, 0)), (323, (0,))):
    ctypes.set_errno(0)
    if libc.syscall(number, *arguments) != -1 or ctypes.get_errno() != errno.EPERM:
        allowed.append((number, ctypes.get_errno()))
for family in (40, 17, 31, 38):
    try:
        socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_RAW)
        allowed.append(family)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            allowed.append((family, error.errno))
print(allowed)
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers in this test are x86-64's")
def test_system_calls_and_socket_families_are_refused_by_the_kernel(runner: ContainerRunner, tmp_path: Path) -> None:
    assert run(runner, tmp_path, SYSTEM_CALLS).log_head == "[]\n"


def test_nothing_of_the_hosts_configuration_is_inside(
    runner: ContainerRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:never-to-be-seen@proxy.example:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:never-to-be-seen@proxy.example:1")
    code = (
        "import os, getpass, socket, json\n"
        "texts = [open(f'/etc/{name}').read() for name in ('hosts', 'resolv.conf')]\n"
        "print(json.dumps([*texts, socket.gethostname(), getpass.getuser(), dict(os.environ)]))"
    )
    hosts, servers, name, user, environment = json.loads(run(runner, tmp_path, code).log_head)
    assert (hosts, servers, name, user) == (view.ETC["/etc/hosts"], "", "sandbox", "sandbox")
    assert "never-to-be-seen" not in str(environment)


def test_a_writable_tree_is_held_to_the_disk_limit(runner: ContainerRunner, tmp_path: Path) -> None:
    code = "import os, time\nfor i in range(20): open(f'f{i}', 'wb').write(os.urandom(10 << 20))\ntime.sleep(60)"
    result = run(runner, tmp_path, code, writable=True)
    assert (result.status, result.kill_reason) == ("killed", "disk")
    assert os.listdir(tmp_path / "w") == []
    assert sorted(os.listdir(tmp_path)) == ["o", "w"]


def test_no_folder_of_the_image_can_be_written(runner: ContainerRunner, tmp_path: Path) -> None:
    code = (
        "import os\n"
        "found = []\n"
        "for place, folders, _ in os.walk('/'):\n"
        "    folders[:] = [f for f in folders if place != '/' or f not in ('proc', 'sys')]\n"
        "    if os.access(place, os.W_OK): found.append(place)\n"
        "print(sorted(found))"
    )
    wanted = ["/dev/mqueue", "/dev/shm", "/home/sandbox", "/out", "/tmp"]
    assert run(runner, tmp_path, code).log_head == f"{wanted}\n"


def test_an_image_that_is_not_there_is_not_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.IMAGE, "branchlab-no-such-image:1")
    with pytest.raises(SandboxError, match=r"the image is not on this host.*never pulled"):
        ContainerRunner()


DRIVER = """
import sys, pathlib
from branchlab.sandbox import leftovers
from branchlab.sandbox.docker import ContainerRunner
from branchlab.sandbox.runner import *
from branchlab.sandbox import environments
work, out = pathlib.Path(sys.argv[1], "w"), pathlib.Path(sys.argv[1], "o")
runner = ContainerRunner()
print(leftovers._guardian(runner._engine.command, __import__("os").getpid()), flush=True)
inner = f"import time; print('branchlab-orphan {sys.argv[1]}'); open('{{out}}/up', 'w').close(); time.sleep(300)"
runner.run(RunRequest(("python", "-I", "-S", "-c", inner), environments.find(), work, out, Limits(200)))
"""


def killed_driver(folder: Path, *, guardian_too: bool) -> int:
    """Kills a process whose container runs; its number."""
    (folder / "w").mkdir()
    (folder / "o").mkdir()
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert driver.stdout
    guardian = int(driver.stdout.readline())
    while not (folder / "o" / "up").exists():
        assert driver.poll() is None
    if guardian_too:
        os.kill(guardian, signal.SIGKILL)
    driver.kill()
    driver.wait()
    driver.stdout.close()
    return driver.pid


def running(folder: Path) -> list[int]:
    """Processes that run the folder's program, the engine's client among them."""
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except processes.GONE:
            continue
        if f"branchlab-orphan {folder}".encode() in words:
            found.append(pid)
    return found


def test_nothing_runs_on_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    owner = killed_driver(tmp_path, guardian_too=False)
    for _ in range(10_000):  # bounded by looks, not by time
        if not running(tmp_path):
            break
    assert not running(tmp_path)
    for _ in range(100):
        if not [name for name in containers() if name.startswith(f"branchlab-{owner}-")]:
            return
    pytest.fail("the container was not removed")


def test_what_a_killed_guardian_left_is_swept_by_the_next_start(tmp_path: Path) -> None:
    owner = killed_driver(tmp_path, guardian_too=True)
    assert running(tmp_path), "else this test shows nothing"
    ContainerRunner()
    assert not [name for name in containers() if name.startswith(f"branchlab-{owner}-")]
    assert not running(tmp_path)


def test_a_run_leaves_no_container_and_no_zombie(runner: ContainerRunner, tmp_path: Path) -> None:
    adopt_orphans()  # as bubblewrap does: podman's monitors are this process's children then
    before = containers()
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        assert run(runner, tmp_path / str(number), "pass").status == "ok"
    assert containers() == before
    states = [Path(f"/proc/{pid}/stat").read_text() for pid in processes.tree(os.getpid()).pids]
    # The last one may have ended after its run was over; the next run waits for it.
    assert len([state for state in states if "(conmon) Z" in state]) <= 1

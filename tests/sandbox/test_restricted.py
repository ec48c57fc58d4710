"""The backend without namespaces: what its launcher does, what it refuses, and that nothing outlives a run."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from branchlab.sandbox import disk, environments, landlock, launcher, restricted, restricted_view
from branchlab.sandbox.landlock import Access
from branchlab.sandbox.restricted import Restricted
from branchlab.sandbox.runner import Interpreter, Limits, RunRequest, RunResult
from branchlab.targets.errors import SandboxError

from .other_account import ORDINARY, ROOT_ONLY, package_copy, run

ROOT = os.geteuid() == 0
LIMITS = Limits(wall_seconds=60, memory_mb=512, disk_mb=64, processes=64, log_kb=64)


@pytest.fixture(scope="module")
def runner() -> Restricted:
    try:
        return Restricted(drop=False)  # so that root and an ordinary user are tested alike
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))


def request(folder: Path, code: str, *words: str) -> RunRequest:
    work, out = folder / "work", folder / "out"
    work.mkdir()
    out.mkdir()
    return RunRequest(("python", "-I", "-c", code, "{out}", *words), environments.find(), work, out, LIMITS)


def go(runner: Restricted, folder: Path, code: str, *words: str) -> RunResult:
    return runner.run(request(folder, code, *words))


STATE = """
import ctypes, json, os, resource, signal, sys
death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "privileges": status["NoNewPrivs"].strip(), "filters": int(status["Seccomp_filters"]),
    "capabilities": [status[n].strip() for n in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    "groups": status["Groups"].split(), "uids": status["Uid"].split(), "gids": status["Gid"].split(),
    "leads a session": os.getsid(0) == os.getpid(), "ends with its parent": death.value,
    "core": resource.getrlimit(resource.RLIMIT_CORE), "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "file size": resource.getrlimit(resource.RLIMIT_FSIZE), "here": os.getcwd(), "ignored": status["SigIgn"].strip(),
    "blocked": status["SigBlk"].strip(), "descriptors": sorted(os.listdir("/proc/self/fd"))[:3],
    "input": os.readlink("/proc/self/fd/0"), "mask": os.umask(0),
}))
"""
NONE = "0000000000000000"


def test_everything_is_in_force_when_the_command_begins(runner: Restricted, tmp_path: Path) -> None:
    result = go(runner, tmp_path, STATE)
    assert result.status == "ok", result
    state = json.loads(result.log_head)
    before = Path("/proc/self/status").read_text().partition("Seccomp_filters:")[2].split()
    assert state["privileges"] == "1"
    assert state["filters"] == int(before[0]) + 2
    assert state["capabilities"] == [NONE] * 4
    assert state["leads a session"] is True
    assert state["ends with its parent"] == 9
    assert (state["core"], state["file size"]) == ([0, 0], [64 << 20] * 2)
    assert state["files"][1] <= 4096
    assert state["here"] == str(tmp_path / "work")
    # Python itself ignores two signals; no other is, and none is blocked: the launcher's own settings are not passed on.
    # (Signals 32 and 33 are the C library's: nobody can ask for them, and who started this may have passed them on.)
    assert (int(state["ignored"], 16) & ~(3 << 31), state["blocked"]) == (1 << 12 | 1 << 24, NONE)
    assert (state["descriptors"], state["input"], state["mask"]) == (["0", "1", "2"], "/dev/null", 0o022)
    assert result.backend == ("restricted-as-root" if ROOT else "restricted")
    assert result.limits_kind.endswith("shared user")


OWN_STATE = """
import pathlib, tempfile
from branchlab.sandbox import environments
from branchlab.sandbox.restricted import Restricted
from branchlab.sandbox.runner import Limits, RunRequest
with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder)
    place.chmod(0o755)
    for name in ("work", "out"):
        (place / name).mkdir()
    argv = ("python", "-I", "-c", sys.argv[1], "{out}")
    limits = Limits(60, 512, 64, 64)
    result = Restricted().run(RunRequest(argv, environments.find(), place / "work", place / "out", limits))
    print(result.log_head, result.status, result.reason, result.backend, result.limits_kind)
"""


@ROOT_ONLY
def test_root_becomes_a_user_of_the_runs_own() -> None:
    printed = run(OWN_STATE, STATE)
    state, _, how = printed.partition("\n")
    found = json.loads(state)
    assert len(set(found["uids"] + found["gids"])) == 1
    assert 60990 <= int(found["uids"][0]) < 61054
    assert (found["groups"], found["capabilities"], found["ends with its parent"]) == ([], [NONE] * 4, 9)
    assert "ok  restricted " in how
    assert how.endswith("own user\n")


@ROOT_ONLY
def test_root_without_the_rights_to_give_itself_up_is_kept_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: Restricted
) -> None:
    monkeypatch.setattr(restricted, "GIVES_UP", 1 << 62)
    result = go(Restricted(), tmp_path, "print('up')")
    assert (result.status, result.backend) == ("ok", "restricted-as-root")


ATTEMPTS = """
import ctypes, os, resource, signal, socket, stat, sys
out, driver, host, hidden = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
def copied():
    with open(os.open(out + "/program", os.O_CREAT | os.O_WRONLY, 0o755), "wb") as file:
        file.write(open("/usr/bin/true", "rb").read())
    os.posix_spawn(out + "/program", ["program"], {})
attempts = {
    "signal to the supervisor": lambda: os.kill(os.getppid(), 0),
    "signal to the driver": lambda: os.kill(driver, 0),
    "signal by descriptor": lambda: signal.pidfd_send_signal(os.pidfd_open(driver), 0),
    "limits of the driver": lambda: resource.prlimit(driver, resource.RLIMIT_NOFILE),
    "priority of the driver": lambda: os.setpriority(os.PRIO_PROCESS, driver, 19),
    "processors of the driver": lambda: os.sched_setaffinity(driver, os.sched_getaffinity(0)),
    "memory of the supervisor": lambda: open(f"/proc/{os.getppid()}/mem", "rb"),
    "command line of the driver": lambda: open(f"/proc/{driver}/cmdline").read(),
    "connections of the host": lambda: open("/proc/self/net/tcp").read(),
    "a way round by /proc": lambda: os.listdir("/proc/self/root"),
    "read": lambda: open(host).read(), "write": lambda: open(host, "w"), "truncate": lambda: os.truncate(host, 0),
    "mode": lambda: os.chmod(host, 0), "mode by descriptor": lambda: os.chmod(f"/proc/self/fd/{os.open(host, os.O_PATH)}", 0),
    "times": lambda: os.utime(host, (1, 1)), "attributes": lambda: os.setxattr(host, "user.branchlab", b"1"),
    "link": lambda: os.link(host, out + "/link"), "rename": lambda: os.rename(host, out + "/renamed"),
    "through a link": lambda: (os.symlink(host, out + "/symbolic"), open(out + "/symbolic").read()),
    "set-user-id file": lambda: os.open(out + "/setuid", os.O_CREAT | os.O_WRONLY, 0o4755),
    "device": lambda: os.mknod(out + "/device", 0o600 | stat.S_IFCHR, os.makedev(1, 1)),
    "own program": copied,
    "hide from the watchdog": lambda: call({"x86_64": 157, "aarch64": 167}[os.uname().machine], 4, 0, 0, 0, 0),
    "queue of the host": lambda: call({"x86_64": 68, "aarch64": 186}[os.uname().machine], 1, 0o1600),
    "names in folders": lambda: call({"x86_64": 294, "aarch64": 26}[os.uname().machine], 0),
    "internet": lambda: socket.socket(socket.AF_INET), "internet 6": lambda: socket.socket(socket.AF_INET6),
    "network settings": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "folder in /dev/shm": lambda: os.mkdir("/dev/shm/branchlab-test"),
    "names in /dev/shm": lambda: os.listdir("/dev/shm"), "/tmp": lambda: open("/tmp/branchlab-test", "x"),
    "SHARED USER unix socket": lambda: socket.socket(socket.AF_UNIX),
    "SHARED USER shared memory": lambda: open("/dev/shm/branchlab-test", "x"),
    "SHARED USER own mode": lambda: (open(out + "/mine", "w").close(), os.chmod(out + "/mine", 0o600)),
}
socket.socketpair()
os.sched_setaffinity(0, os.sched_getaffinity(0))
worked = []
for name, action in attempts.items():
    try:
        action()
    except OSError:
        continue
    worked.append(name)
print(worked)
"""


def test_attacks_that_only_namespaces_would_stop_otherwise(runner: Restricted, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.write_text("host")
    host.chmod(0o666)
    result = go(runner, tmp_path, ATTEMPTS, str(os.getpid()), str(host))
    assert (result.status, result.log_head) == ("ok", "[]\n"), result.log_head
    assert (host.read_text(), host.stat().st_mode & 0o777) == ("host", 0o666)


OWN_ATTACKS = OWN_STATE.replace('"{out}")', '"{out}", str(os.getpid()), str(place / "host"))').replace(
    "    argv =", "    (place / 'host').write_text('host')\n    (place / 'host').chmod(0o666)\n    argv ="
)


@ROOT_ONLY
def test_a_run_with_a_user_of_its_own_gets_sockets_and_shared_memory_and_nothing_else() -> None:
    printed = run("import os\n" + OWN_ATTACKS, ATTEMPTS)
    expected = "['SHARED USER unix socket', 'SHARED USER shared memory', 'SHARED USER own mode']"
    assert printed.startswith(expected), printed
    assert not os.path.exists("/dev/shm/branchlab-test"), "what a run leaves in /dev/shm goes with it"


WORKERS = """
import multiprocessing as mp, sys
from multiprocessing.shared_memory import SharedMemory
def double(x):
    return 2 * x
if __name__ == "__main__":
    for method in ("fork", "forkserver"):
        context = mp.get_context(method)
        with context.Pool(2) as pool, context.Manager() as manager:
            queue, lock = context.Queue(), context.Lock()
            queue.put(b"x" * 1000)
            print(method, pool.map(abs, [-1, -2]), len(queue.get()), list(manager.list([1])))
    left = SharedMemory(create=True, size=1 << 20)
    mp.resource_tracker.unregister(left._name, "shared_memory")
    print("left", left.name)
"""


@ROOT_ONLY
def test_worker_processes_share_memory_when_the_run_has_its_own_user() -> None:
    """What torch's DataLoader needs of its workers: semaphores, queues, shared memory, descriptors over unix sockets."""
    printed = run(OWN_STATE, WORKERS)
    lines = printed.splitlines()
    assert lines[:2] == ["fork [1, 2] 1000 [1]", "forkserver [1, 2] 1000 [1]"], printed
    assert lines[2].startswith("left psm_")
    assert not os.path.exists(f"/dev/shm/{lines[2].split()[1]}")


def test_worker_processes_cannot_share_memory_otherwise(runner: Restricted, tmp_path: Path) -> None:
    code = "import multiprocessing as mp\ntry:\n    mp.Lock()\nexcept PermissionError:\n    print('refused')"
    assert go(runner, tmp_path, code).log_head == "refused\n"


def test_hidden_folders_cannot_be_read_and_their_neighbours_can(runner: Restricted, tmp_path: Path) -> None:
    hidden = environments.find(None, ["yaml"])
    asked = request(
        tmp_path, "import os, sys; print(os.path.exists(sys.argv[2]), flush=True); import numpy; open(sys.argv[2])"
    )
    folder = next(path for path in hidden.hide if path.name == "yaml")
    words = (*asked.argv, str(folder / "__init__.py"))
    result = runner.run(dataclasses.replace(asked, argv=words, interpreter=hidden))
    assert result.status == "failed"
    assert result.log_head.startswith("True\n")
    assert f"PermissionError: [Errno 13] Permission denied: '{folder}/__init__.py'" in result.log_head


def test_grants_leave_out_what_is_hidden(tmp_path: Path) -> None:
    for name in ("base/lib/site/secret", "base/lib/site/open", "base/bin", "work", "out", "scratch"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "base/lib/site/one.py").touch()
    (tmp_path / "base/lib/link").symlink_to(tmp_path / "base/lib/site/secret")
    base = tmp_path / "base"
    interpreter = Interpreter(base / "bin/python", (base,), (base / "lib/site/secret",))
    asked = RunRequest(("x",), interpreter, tmp_path / "work", tmp_path / "out", LIMITS)
    found = dict(restricted_view.grants(asked, tmp_path / "scratch", own_user=False))
    shown = int(restricted_view.SHOWN)
    assert {path: rights for path, rights in found.items() if Path(path).is_relative_to(base)} == {
        str(base): int(Access.READ_DIR), str(base / "lib"): int(Access.READ_DIR), str(base / "bin"): shown,
        str(base / "lib/site"): int(Access.READ_DIR), str(base / "lib/site/open"): shown,
        str(base / "lib/site/one.py"): shown,
    }  # fmt: skip
    assert found[str(tmp_path / "work")] == shown
    for name in ("out", "scratch"):
        assert found[str(tmp_path / name)] == int(restricted_view.WRITTEN)
    assert not restricted_view.WRITTEN & (Access.EXECUTE | Access.MAKE_CHAR | Access.MAKE_BLOCK | Access.IOCTL_DEV)
    assert not {"/", "/proc", "/sys", "/dev", "/etc", "/dev/shm", "/tmp", str(Path.home())} & set(found)
    assert "/dev/shm" in dict(restricted_view.grants(asked, tmp_path / "scratch", own_user=True))
    # One that was asked for by name is shown, hidden or not: a shipped target's data.
    inside = dataclasses.replace(asked, mounts={"data": base / "lib/site/secret"})
    assert (
        dict(restricted_view.grants(inside, tmp_path / "scratch", own_user=False))[str(base / "lib/site/secret")]
        == shown
    )
    written = dataclasses.replace(asked, out=base)
    with pytest.raises(SandboxError, match="cannot be left out"):
        restricted_view.grants(written, tmp_path / "scratch", own_user=False)


@pytest.mark.parametrize(
    ("answer", "text"),
    [(1, "found version 1"), (5, "found version 5"), (OSError(errno.ENOSYS, "x"), "built without"),
     (OSError(errno.EOPNOTSUPP, "x"), "lsm="), (OSError(errno.EPERM, "x"), "container's system call filter")],
)  # fmt: skip
def test_less_than_is_needed_is_refused_with_the_reason(
    answer: int | OSError, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version() -> int:
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(landlock, "version", version)
    with pytest.raises(SandboxError, match=text) as error:
        Restricted()
    assert "Linux 6.12" in str(error.value) or "lsm=" in str(error.value) or "engine" in str(error.value)
    assert "--sandbox bubblewrap" in str(error.value)


def test_no_run_starts_where_signals_are_not_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end would be a signal to every process of the user."""
    monkeypatch.setattr(landlock, "enter", lambda rules: os.close(rules))
    monkeypatch.setattr(landlock, "ruleset", lambda *_: os.open(os.devnull, os.O_RDONLY))
    with pytest.raises(PermissionError, match="does not confine signals"):
        launcher._separate({"abi": 6, "driver": os.getpid()})


def test_a_gpu_is_refused_by_name(runner: Restricted, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="GPU-1"):
        runner.run(dataclasses.replace(request(tmp_path, "pass"), gpu="GPU-1"))


def test_a_launcher_that_cannot_set_up_is_not_the_commands_fault(
    runner: Restricted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_filters", {False: (b"\0" * 8,), True: ()})  # the kernel refuses such a program
    result = go(runner, tmp_path, "print('never')")
    assert (result.status, result.kill_reason, result.log_head) == ("sandbox_failed", "sandbox", "")
    assert "prctl" in result.reason


def test_folders_deeper_than_a_stack_are_removed(tmp_path: Path) -> None:
    top, kept = tmp_path / "top", tmp_path / "kept"
    top.mkdir()
    kept.write_text("x")
    (top / "link").symlink_to(tmp_path)
    here = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (top / "locked").mkdir()
    (top / "locked" / "f").touch()
    (top / "locked").chmod(0)
    disk.remove(str(top))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


# Forks faster than anyone can count: each process only lives to make the next one, in a session of its own and deaf to
# signals. Some twenty at a time, and not for ever: a test of a failing sandbox must not harm its host.
STORM = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
end = time.monotonic() + 60
def hop():
    while time.monotonic() < end:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            continue
        os.setsid()
    os._exit(0)
for _ in range(20):
    if os.fork() == 0:
        hop()
open(sys.argv[1] + "/up", "w").write(os.environ["TMPDIR"])
time.sleep(60)
"""
STORM_DRIVER = """
import pathlib, sys
from branchlab.sandbox import environments
from branchlab.sandbox.restricted import Restricted
from branchlab.sandbox.runner import Limits, RunRequest
place = pathlib.Path(sys.argv[2])
argv = ("python", "-I", "-c", sys.argv[1], "{out}", "branchlab-storm-" + place.name)
limits = Limits(200, 1024, 64, 300)
Restricted(drop=sys.argv[3] == "own").run(RunRequest(argv, environments.find(), place / "work", place / "out", limits))
"""


@ROOT_ONLY
@pytest.mark.parametrize("user", ["own", "shared"])
def test_nothing_outlives_a_driver_that_is_killed(user: str) -> None:
    with package_copy() as place:
        for name in ("work", "out"):
            (place / name).mkdir()
        driver = subprocess.Popen(
            ["/usr/bin/python3", "-B", "-c", "import sys; sys.path.insert(0, '.')\n" + STORM_DRIVER, STORM, str(place), user],
            cwd=place, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        up, mark = place / "out" / "up", f"branchlab-storm-{place.name}".encode()
        while not (up.exists() and up.read_text()):
            assert driver.poll() is None
        assert marked(mark)
        driver.kill()
        driver.wait()
        for _ in range(60_000):  # bounded by looks, not by time: each takes about a millisecond
            if not (left := marked(mark)) and not os.path.exists(Path(up.read_text()).parent):
                break
        assert left == []
        assert not os.path.exists(Path(up.read_text()).parent), "the run's own folder is removed by the supervisor"


def marked(mark: bytes) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def test_killing_the_supervisor_is_a_fault_of_the_sandbox(runner: Restricted, tmp_path: Path) -> None:
    """Only who is outside can. The command itself goes with it."""
    asked = request(
        tmp_path, "import os, sys, time; open(sys.argv[1] + '/up', 'w').write(f'{os.getppid()}.'); time.sleep(300)"
    )
    code = (
        "import os, sys\nup = sys.argv[1]\nwhile not (os.path.exists(up) and open(up).read().endswith('.')):\n    pass\n"
        "os.kill(int(open(up).read()[:-1]), 9)"
    )
    killer = subprocess.Popen([sys.executable, "-I", "-S", "-c", code, str(asked.out / "up")])
    result = runner.run(asked)
    assert killer.wait() == 0
    assert (result.status, result.reason) == ("sandbox_failed", "the launcher was ended from outside")


# What a container engine leaves to root by default, without an engine: its fourteen capabilities (no CAP_SYS_ADMIN, no
# CAP_SYS_PTRACE) and no call that makes namespaces or mounts.
CONTAINER = """
import ctypes, pathlib, struct, tempfile
from branchlab.sandbox import launcher, seccomp
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.conformance import CONTRACT, ISOLATION, run_case
from branchlab.sandbox.restricted import Restricted
from branchlab.targets.errors import SandboxError
if sys.argv[1] == "root":
    low = struct.pack("=3I", 0xA80425FB, 0xA80425FB, 0)
    assert ctypes.CDLL(None).capset(struct.pack("=Ii", launcher.CAPABILITY_VERSION, 0), low + bytes(12)) == 0
launcher._prctl(38, 1)
launcher._filter(seccomp.program())
try:
    Bubblewrap()
    print("bubblewrap works")
except SandboxError:
    pass
runner = Restricted()
names = ("ok", "stray is ended", "memory of many processes", "host files", "memory nobody maps", "unlinked files on disk")
for case in (*CONTRACT, *ISOLATION):
    if case.name in names:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder).chmod(0o755)
            print(case.name, run_case(case, runner, pathlib.Path(folder)))
print(runner.summary.partition(",")[0])
"""


@ROOT_ONLY
@pytest.mark.parametrize(
    ("who", "uid", "how"), [("root", 0, "gives up root first"), ("user", ORDINARY, "as this user")]
)
def test_it_works_where_no_namespace_can_be_made(who: str, uid: int, how: str) -> None:
    names = (
        "ok",
        "stray is ended",
        "memory of many processes",
        "host files",
        "memory nobody maps",
        "unlinked files on disk",
    )
    assert run(CONTAINER, who, uid=uid).splitlines() == [*(f"{name} " for name in names), how]

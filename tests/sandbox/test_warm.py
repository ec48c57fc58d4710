"""Warm starts: nothing tells one from a cold start but the time, and nothing of a run reaches the next."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from branchlab.sandbox import environments, processes
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.runner import Interpreter, Limits, RunRequest, RunResult
from branchlab.targets.errors import SandboxError

LIMITS = Limits(wall_seconds=60, memory_mb=512, disk_mb=64, processes=64)
COLD, WARM = "bubblewrap", "bubblewrap-warm"

# What a program can see of how it was started. The environment by another word than the one that asks for a cold start.
FACTS = """
import json, os, resource, signal, sys
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
own = ("Uid", "Gid", "Groups", "NStgid", "Umask", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
       "Threads", "SigBlk", "SigIgn", "SigCgt", "ShdPnd", "SigPnd", "THP_enabled")
mounts = sorted(tuple(line.split()[4:6]) for line in open("/proc/self/mountinfo"))
facts = {
    "status": {name: status.get(name, "").strip() for name in own if name != "NStgid"},
    "surroundings": sorted(vars(os)["env" "iron"].items()),
    "path": sys.path, "argv": sys.argv, "orig_argv": sys.orig_argv, "flags": str(sys.flags), "warnings": sys.warnoptions,
    "cwd": os.getcwd(), "root": sorted(os.listdir("/")), "dev": sorted(os.listdir("/dev")), "mounts": mounts,
    "memory": [os.listdir(folder) for folder in ("/tmp", "/dev/shm", os.path.expanduser("~"))],
    "sizes": [os.statvfs(folder).f_blocks for folder in ("/tmp", "/dev/shm", os.path.expanduser("~"))],
    "limits": [resource.getrlimit(kind) for kind in range(16)],
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:4], "umask": os.umask(0), "session": os.getsid(0) == os.getpid(),
    "main": sorted(vars(sys.modules["__main__"])), "file": globals().get("__file__"), "name": __name__,
    "spec": getattr(__spec__, "name", None), "loader": type(__loader__).__name__, "executable": sys.executable,
    "handlers": [str(signal.getsignal(number)) for number in range(1, 32)], "ids": [os.getuid(), os.getgid(), os.getgroups()],
    "host": os.uname().nodename, "users": [open("/proc/self/" + name).read().split()[0] for name in ("uid_map", "gid_map")],
    "setgroups": open("/proc/self/setgroups").read(), "nice": os.nice(0), "stdin": os.fstat(0).st_rdev,
    "interfaces": open("/proc/self/net/dev").read().count(":"), "pids": len([p for p in os.listdir("/proc") if p.isdigit()]) <= 4,
    "stdout": [type(sys.stdout).__name__, sys.stdout.encoding, sys.stdout.line_buffering, sys.stdout.isatty()],
}
print(json.dumps(facts, sort_keys=True))
"""


@dataclass
class Place:
    """Folders of runs, and a site folder whose modules an environment has."""

    folder: Path
    runner: Bubblewrap
    others: frozenset[int]
    """Fork servers of other runners of this process."""
    count: int = 0

    def request(self, *argv: str, preload: tuple[str, ...] = ("json",), limits: Limits = LIMITS) -> RunRequest:
        self.count += 1
        out = self.folder / f"out-{self.count}"
        out.mkdir()
        found = environments.find()
        interpreter = Interpreter(found.executable, (*found.prefixes, self.folder / "site"), found.hide)
        env = {"PYTHONPATH": str(self.folder / "site")}
        return RunRequest(argv, interpreter, self.folder / "work", out, limits, env=env, preload=preload)

    def run(self, program: str, *, preload: tuple[str, ...] = ("json",), limits: Limits = LIMITS) -> RunResult:
        (self.folder / "work" / "program.py").write_text(program)
        return self.runner.run(self.request("python", "program.py", "{out}", preload=preload, limits=limits))

    @contextmanager
    def in_flight(self, program: str) -> Iterator[tuple[RunRequest, list[RunResult]]]:
        """A run that has made its `up` file, and the list its result will stand in once the block has ended."""
        (self.folder / "work" / "beside.py").write_text(program)
        request = self.request("python", "beside.py", "{out}")
        results: list[RunResult] = []
        thread = threading.Thread(target=lambda: results.append(self.runner.run(request)))
        thread.start()
        while thread.is_alive() and not (request.out / "up").exists():
            thread.join(0.02)
        yield request, results
        thread.join(60)

    def servers(self) -> list[int]:
        """Process ids of the runner's fork servers, bubblewrap's own among them."""
        return [pid for pid in all_servers() if pid not in self.others]

    def module(self, name: str, text: str) -> str:
        (self.folder / "site" / f"{name}.py").write_text(text)
        return name


@pytest.fixture
def runner() -> Iterator[Bubblewrap]:
    try:
        made = Bubblewrap()
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))
    yield made
    if made._warm:
        made._warm.close()


@pytest.fixture
def place(tmp_path: Path, runner: Bubblewrap) -> Place:
    (tmp_path / "work" / "sub").mkdir(parents=True)
    (tmp_path / "site").mkdir()
    return Place(tmp_path, runner, frozenset(all_servers()))


def all_servers() -> list[int]:
    return [pid for pid in processes.tree(os.getpid()).pids if b"/warm_server.py" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def gone(pid: int) -> bool:
    """Whether the process ends; bounded by looks, not by time: each takes about a millisecond."""
    return any(not os.path.exists(f"/proc/{pid}") or state(pid) in "ZX" for _ in range(20_000))


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


@pytest.mark.parametrize(
    "words",
    [
        ("program.py", "a", "{out}"),
        ("./program.py",),
        ("sub/program.py",),
        ("-I", "program.py", "-x"),
        ("-uB", "program.py"),
        ("-O", "-W", "ignore::DeprecationWarning", "program.py"),
        ("-m", "program", "b"),
        ("-m", "sub.program"),
        ("-c", FACTS, "c"),
        ("-I", "-c", FACTS),
    ],
    ids=lambda words: " ".join(words)[:12],
)
def test_a_program_cannot_tell_a_warm_start_by_what_it_sees(place: Place, words: tuple[str, ...]) -> None:
    for folder in ("", "sub"):
        (place.folder / "work" / folder / "program.py").write_text(FACTS)
    facts = []
    for preload, backend in (((), COLD), (("json",), WARM), (("json",), WARM)):
        result = place.runner.run(place.request("python", *words, preload=preload))
        assert (result.status, result.backend) == ("ok", backend), result
        facts.append(json.loads(result.log_head))
    for fact in facts[0]:
        assert [found[fact] for found in facts] == [facts[0][fact]] * 3, fact


@pytest.mark.parametrize(
    "program",
    [
        "print('x')",
        "print('no newline', end='')",
        "import sys; print('x'); sys.exit(3)",
        "import sys; sys.exit('a message')",
        "import sys; sys.exit(None)",
        "def f():\n    return 1 / 0\nprint('before')\nf()",
        "raise KeyboardInterrupt",
        "import os; os._exit(5)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os; os.abort()",
        "x = (",
        "import no_such_module",
        "import atexit; atexit.register(print, 'first'); atexit.register(print, 'second'); print('end')",
        "import atexit, sys; atexit.register(print, 'told'); sys.exit(4)",
        "class A:\n    def __del__(self): print('deleted')\na = A()\nprint('end')",
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nprint('main')",
        "import sys; sys.excepthook = lambda *a: print('hook', a[0].__name__)\nraise ValueError",
        "open('/dev/null'); f = open(__import__('sys').argv[1] + '/kept', 'w'); f.write('never closed')",
        "import ctypes; ctypes.CDLL(None).printf(b'by C')",
        "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)",
        "import os\nif os.fork() == 0: raise SystemExit(0)\nprint(os.wait()[1])",
        "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n"
        "    with m.get_context('spawn').Pool(2) as p: print(p.map(f, range(3)))",
        "import pickle\nclass A: pass\nprint(pickle.loads(pickle.dumps(A())).__class__)",
    ],
)
def test_it_ends_as_a_cold_start_does(place: Place, program: str) -> None:
    cold, warm = place.run(program, preload=()), place.run(program)
    assert (cold.backend, warm.backend) == (COLD, WARM)
    seen = [(r.status, r.reason, r.return_code, r.log_head, r.artifacts) for r in (cold, warm)]
    assert seen[0] == seen[1]


WAIT = """
import os, sys, time
open(sys.argv[1] + "/up", "w").close()
while not os.path.exists(sys.argv[1] + "/go"):
    time.sleep(0.01)
print("went")
"""
# Everything that a run could try to leave to the next: each line by itself, none may stop the others.
MESS = """
import builtins, ctypes, gc, json, os, resource, signal, socket, subprocess, sys, threading, time
def attempt(*actions):
    for action in actions:
        try: action()
        except (OSError, ValueError): pass
json.dumps = json.loads = lambda *a, **k: "patched"
builtins.print = builtins.open = lambda *a, **k: None
sys.modules["left"] = json
sys.path.insert(0, "/left")
sys.argv[:] = ["left"]
gc.disable(); sys.setrecursionlimit(77); threading.excepthook = None
vars(os)["env" "iron"]["LEFT"] = "left"
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.alarm(1000)
os.umask(0o77); os.nice(5); os.chdir("/tmp")
write = lambda path: os.close(os.open(path, os.O_CREAT | os.O_RDWR))
attempt(*(lambda f=f: write(f + "/left") for f in ("/tmp", "/dev/shm", os.path.expanduser("~"), "/", "/dev", "/run")))
attempt(*(lambda k=k: resource.setrlimit(k, (9, 9)) for k in (resource.RLIMIT_NPROC, resource.RLIMIT_CPU)))
attempt(lambda: socket.socket(socket.AF_UNIX).bind("\\0left"), lambda: socket.create_server(("127.0.0.1", 4567)))
libc = ctypes.CDLL(None)
for name, arguments in (("shmget", (77, 4096, 0o1600)), ("msgget", (77, 0o1600)), ("semget", (77, 1, 0o1600)),
                        ("setns", (0, 0)), ("unshare", (0x10000000,)), ("sethostname", (b"left", 4))):
    getattr(libc, name)(*arguments)
# To reach or kill whatever is there: the server, what holds the namespaces, another run.
attempt(*(lambda pid=pid: os.kill(pid, 9) for pid in range(1, 400) if pid != os.getpid()))
attempt(*(lambda pid=pid: os.kill(-pid, 9) for pid in range(2, 50) if pid != os.getpgrp()))
attempt(*(lambda fd=fd: os.write(fd, b"left") for fd in range(3, 300)))
attempt(*(lambda fd=fd: os.lseek(fd, 0, 0) for fd in range(0, 300)))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.close(fd)
        time.sleep(300)
    os._exit(0)
threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
subprocess.Popen(["/usr/bin/sleep", "300"])
"""


def test_nothing_of_a_run_reaches_the_next(place: Place) -> None:
    (place.folder / "work" / "facts.py").write_text(FACTS)
    facts = place.request("python", "facts.py")
    before = place.runner.run(facts)
    running = set(processes.tree(os.getpid()).pids)
    messed = place.run(MESS + "bytes(1) and os._exit(0)")
    # It may kill what holds its own namespaces, and so itself; never the sandbox's own part.
    assert (messed.status, messed.reason) in (("ok", ""), ("failed", "ended by SIGKILL")), messed
    after = place.runner.run(replace(facts, out=place.request().out))
    assert (before.backend, messed.backend, after.backend) == (WARM,) * 3
    assert json.loads(after.log_head) == json.loads(before.log_head)
    left = [command_line(pid) for pid in processes.tree(os.getpid()).pids if pid not in running and not gone(pid)]
    # A thread that starts something of its own has a child that is called as we are until it becomes what it is to be.
    assert [words for words in left if words != command_line(os.getpid())] == []


def test_a_run_does_not_reach_one_beside_it(place: Place) -> None:
    with place.in_flight(WAIT) as (request, results):
        messed = place.run(MESS + "bytes(1) and os._exit(0)")
        (request.out / "go").touch()
    assert messed.backend == WARM
    assert [(r.status, r.log_head, r.backend) for r in results] == [("ok", "went\n", WARM)], results


SEARCH = """
import re
found = set()
for line in open("/proc/self/maps"):
    span, rights = line.split()[:2]
    low, high = (int(part, 16) for part in span.split("-"))
    if rights.startswith("r") and "[v" not in line:
        with open("/proc/self/mem", "rb", 0) as memory:
            memory.seek(low)
            try: found |= set(re.findall(rb"tok[e]n-[0-9]{20}", memory.read(high - low)))
            except OSError: pass
print(sorted(found))
"""


def test_a_run_finds_nothing_in_its_memory_that_an_earlier_one_was_told(place: Place) -> None:
    token = "token-" + "0123456789" * 2
    (place.folder / "work" / "hear.py").write_text("import sys; print(sys.argv[1])")
    (place.folder / "work" / "search.py").write_text(SEARCH)
    heard = place.runner.run(place.request("python", "hear.py", token))
    own = place.runner.run(place.request("python", "search.py", token))
    next_one = place.runner.run(place.request("python", "search.py"))
    assert (heard.backend, heard.log_head) == (WARM, token + "\n")
    assert (own.log_head, next_one.log_head) == (f"{[token.encode()]}\n", "[]\n")


def test_a_run_that_exhausts_memory_leaves_the_next_one_whole(place: Place) -> None:
    first = place.run("x = bytearray(b'1') * (900 << 20)\nimport time; time.sleep(60)")
    second = place.run("print('fine')")
    assert (first.status, first.backend) == ("out_of_memory", WARM)
    assert (second.status, second.log_head, second.backend) == ("ok", "fine\n", WARM)


def test_two_runs_do_not_share_random_numbers_that_a_library_drew(place: Place) -> None:
    pytest.importorskip("numpy")
    program = "import json, random, numpy.random, uuid, secrets\nfrom multiprocessing import process\n" \
              "print(random.random(), numpy.random.rand(), uuid.uuid4(), secrets.token_hex(4),\n" \
              "      bytes(process.current_process().authkey).hex())"  # fmt: skip
    preload = ("numpy.random", "multiprocessing", "uuid", "secrets")
    first, second = (place.run(program, preload=preload) for _ in range(2))
    assert (first.backend, first.status) == (WARM, "ok"), first
    assert not set(first.log_head.split()) & set(second.log_head.split())


SPY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    return f"{name}: {ctypes.get_errno() if getattr(libc, name)(*arguments) == -1 else 'worked'}"
TOLD = [call("mount", b"none", b"/tmp", b"tmpfs", 0, None), call("umount2", b"/proc", 2), call("chroot", b"/tmp"),
        call("ptrace", 16, 1, None, None), call("swapon", b"/tmp", 0)]
FOLDERS = [os.path.exists(path) for path in ("/work/program.py", "/work_/program.py", "/out")]
PIDS = [name for name in os.listdir("/proc") if name.isdigit()]
"""


def test_a_module_that_is_imported_sees_no_run_and_can_mount_nothing(place: Place) -> None:
    name = place.module("spy", SPY)
    found = place.run("import spy; print(spy.TOLD, spy.FOLDERS, len(spy.PIDS))", preload=(name,))
    assert found.backend == WARM
    names = ("mount", "umount2", "chroot", "ptrace", "swapon")
    assert found.log_head == f"{[f'{call}: 1' for call in names]} [False, False, False] 2\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()", "thread"),
        ("kept = open('/etc/passwd')", "descriptor"),
        ("import mmap\nkept = mmap.mmap(-1, 4096)", "shared memory"),
        ("import os, time\nif os.fork() == 0: time.sleep(99)", "process"),
        ("raise ImportError('not here')", "import"),
        ("raise SystemExit('gone')", "exit"),
    ],
    ids=lambda value: value if " " not in value else "",
)
def test_a_process_that_cannot_be_forked_soundly_serves_nothing(place: Place, text: str, why: str) -> None:
    name = place.module("unsound", text)
    before = set(place.servers())
    found = [place.run("print('fine')", preload=(name,)) for _ in range(2)]
    assert [(r.status, r.log_head, r.backend) for r in found] == [("ok", "fine\n", COLD)] * 2
    assert set(place.servers()) <= before


@pytest.mark.parametrize(
    ("files", "argv"),
    [
        ({"json.py": "dumps = None"}, ("python", "main.py")),
        ({"sub/json.py": "", "sub/other.py": ""}, ("python", "main.py")),
        ({"json/__init__.py": ""}, ("python", "main.py")),
        ({"sitecustomize.py": ""}, ("python", "main.py")),
        ({"main.py": "import os\nos.environ['OMP_NUM_THREADS'] = '2'\nimport json"}, ("python", "main.py")),
        ({"other.py": "from os import putenv"}, ("python", "main.py")),
        ({}, ("python", "-c", "import os; os.environ.pop('HOME')")),
        ({}, ("python", "-X", "dev", "main.py")),
        ({}, ("python", "-i", "main.py")),
        ({"main.zip": ""}, ("python", "-")),
        ({}, ("/usr/bin/true", "main.py")),
    ],
)
def test_a_run_that_would_differ_starts_cold(place: Place, files: dict[str, str], argv: tuple[str, ...]) -> None:
    for name, text in ({"main.py": "print('x')"} | files).items():
        path = place.folder / "work" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert place.runner.run(place.request(*argv)).backend == COLD


def test_a_server_is_used_again_and_two_runs_at_once_have_one_each(place: Place) -> None:
    assert place.run("print(1)").backend == WARM
    once = set(place.servers())
    assert place.run("print(2)").backend == WARM
    assert set(place.servers()) == once
    assert place.run("print(3)", preload=("json", "csv")).backend == WARM
    twice = set(place.servers())
    assert len(twice) == 2 * len(once), "what was not imported is not there"
    assert place.run("print(4)", preload=("csv",)).backend == WARM
    assert set(place.servers()) == twice, "a server that has imported more will do"
    (place.folder / "work" / "wait.py").write_text(WAIT)
    requests = [place.request("python", "wait.py", "{out}") for _ in range(2)]
    results: list[RunResult] = []
    threads = [threading.Thread(target=lambda r=request: results.append(place.runner.run(r))) for request in requests]
    for thread in threads:
        thread.start()
    for request in requests:
        while not (request.out / "up").exists():
            threads[0].join(0.02)
    for request in requests:
        (request.out / "go").touch()
    for thread in threads:
        thread.join(60)
    assert [(r.status, r.backend) for r in results] == [("ok", WARM)] * 2, results
    assert len(set(place.servers())) == 2 * len(once)


@pytest.mark.parametrize("which", ["server", "its first process"])
@pytest.mark.parametrize("when", ["idle", "running"])
def test_a_killed_server_is_no_fault_of_the_run_and_the_next_has_a_new_one(place: Place, which: str, when: str) -> None:
    assert place.run("print(1)").backend == WARM
    found = set(place.servers())
    # bubblewrap, its first process, the server: the last has the highest depth, and Python's command line alone.
    python = next(pid for pid in found if not command_line(pid).split(b"\0")[0].endswith(b"bwrap"))
    victim = (
        python if which == "server" else int(Path(f"/proc/{python}/stat").read_text().rpartition(")")[2].split()[1])
    )
    if when == "running":
        sleeping = "import sys, time\nopen(sys.argv[1] + '/up', 'w').close()\ntime.sleep(300)"
        with place.in_flight(sleeping) as (_, results):
            os.kill(victim, signal.SIGKILL)
        assert [(r.status, r.kill_reason, r.backend) for r in results] == [("sandbox_failed", "sandbox", WARM)]
    else:
        os.kill(victim, signal.SIGKILL)
    assert gone(python)
    later = place.run("print(2)")
    assert (later.status, later.log_head, later.backend) == ("ok", "2\n", WARM)
    assert python not in place.servers()


def test_cancelling_while_a_server_starts_ends_the_run_and_not_warm_starts(place: Place) -> None:
    name = place.module(
        "slow", "import os, time\nwhile not os.path.exists('/tmp/never') and time.sleep(0.01) is None: pass"
    )
    results: list[RunResult] = []
    thread = threading.Thread(target=lambda: results.append(place.run("print(1)", preload=(name,))))
    before = set(place.servers())
    thread.start()
    while not set(place.servers()) - before:
        thread.join(0.02)
    place.runner.cancel()
    thread.join(60)
    assert [(r.status, r.reason) for r in results] == [("killed", "cancelled")]
    place.module("slow", "")
    assert place.run("print(1)", preload=(name,)).backend == WARM


HOST = """
import pathlib, sys
from branchlab.sandbox import environments
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.runner import Limits, RunRequest
folder = pathlib.Path(sys.argv[1])
Bubblewrap().run(RunRequest(("python", "sleep.py", "{out}"), environments.find(), folder / "work", folder / "out",
                            Limits(200), preload=("json",)))
"""


def test_nothing_is_left_when_the_host_process_is_killed(place: Place) -> None:
    (place.folder / "out").mkdir()
    (place.folder / "work" / "sleep.py").write_text(
        "import os, subprocess, sys, time\nsubprocess.Popen(['/usr/bin/sleep', '300'])\n"
        "open(sys.argv[1] + '/up', 'w').close()\ntime.sleep(300)"
    )
    host = subprocess.Popen([sys.executable, "-c", HOST, str(place.folder)])
    while not (place.folder / "out" / "up").exists():
        assert host.poll() is None
    below = processes.tree(host.pid).pids[1:]
    assert len(below) >= 6, "bubblewrap twice, the server, the run and its child"
    host.kill()
    host.wait()
    assert [pid for pid in below if not gone(pid)] == []


SHIPPED = ("digits_faulty", "digits_clean", "recommender")


@pytest.mark.train
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_target_trains_to_the_same_bytes(name: str, tmp_path: Path, runner: Bubblewrap) -> None:
    pytest.importorskip("torch")
    from branchlab.targets.preload import preload
    from branchlab.targets.target import read_target

    target = read_target(Path(__file__).resolve().parents[2] / "targets" / name)
    repo, data = target.home / "repo", target.home / str(target.data)
    modules = preload(repo, target.steps.train)
    assert "torch" in modules
    words = tuple(word.replace("{seed}", "3") for word in target.steps.train)
    results = []
    for index, wanted in enumerate(((), modules, modules)):
        out = tmp_path / str(index)
        out.mkdir()
        limits = Limits(wall_seconds=200, memory_mb=target.limits.memory_mb)
        found = environments.find(None, target.environment.hide)
        results.append(runner.run(RunRequest(words, found, repo, out, limits, {"data": data}, preload=wanted)))
    assert [(r.status, r.backend) for r in results] == [("ok", COLD), ("ok", WARM), ("ok", WARM)], results
    assert results[0].artifacts
    assert [(r.artifacts, r.log_head) for r in results] == [(results[0].artifacts, results[0].log_head)] * 3

"""What every backend must do, as cases that any Runner can be put through; tests/sandbox/test_conformance.py does.

A case is a short program, run as a request, and a judgement of its result. `CONTRACT` holds for every backend, `ISOLATION`
for those that claim any. Attacks are bounded: at most 300 MB and 100 processes, loopback only.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import environments
from .runner import Limits, Runner, RunRequest, RunResult

CANARY = "BRANCHLAB_CONFORMANCE_CANARY"
SECRET = "never-to-be-seen-inside"  # noqa: S105 (the suite's own)
DEFAULT = Limits(wall_seconds=60, memory_mb=512, disk_mb=64, processes=128, log_kb=64)
Judgement = Callable[[RunResult, Path], str]
"""Result and the run's `out`; what is wrong in words, empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    program: str
    """Python, run with -I in `work`; its arguments are out, data, a secret host file, and the port of a host server."""
    judge: Judgement
    limits: Limits = DEFAULT
    work_writable: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


def run_case(case: Case, runner: Runner, folder: Path) -> str:
    """What the backend does wrong in this case, in words; empty when it passes. `folder` must be new and empty."""
    work, out, data, private = (folder / name for name in ("tree", "results", "inputs", "private"))
    for path in (work, out, data, private):
        path.mkdir()
    (work / "hello.txt").write_text("hello")
    (data / "numbers.txt").write_text("1 2 3")
    (private / "key").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = ("{out}", "{data}", str(private / "key"), str(server.getsockname()[1]))
        request = RunRequest(
            argv=("python", "-I", "-c", case.program, *words),
            interpreter=environments.find(),
            work=work,
            out=out,
            limits=case.limits,
            mounts={"data": data},
            env=case.env,
            work_writable=case.work_writable,
        )
        os.environ[CANARY] = SECRET
        try:
            result = runner.run(request)
        finally:
            del os.environ[CANARY]
    if (work / "hello.txt").read_text() != "hello" or sorted(os.listdir(work)) != ["hello.txt"]:
        return "the work tree was changed"
    if not result.backend or result.device_seconds <= 0:
        return "the result does not say what ran it, or for how long"
    fault = case.judge(result, out)
    return f"{fault} ({result.status}, {result.reason!r}, log {result.log_head[-500:]!r})" if fault else ""


def _ends(status: str, reason: str = "", code: int | None = None) -> Judgement:
    def judge(result: RunResult, out: Path) -> str:
        if result.status != status or reason not in result.reason or (code is not None and result.return_code != code):
            return f"should end as {status} {reason!r} {code if code is not None else ''}"
        return ""

    return judge


def _prints(text: str) -> Judgement:
    def judge(result: RunResult, out: Path) -> str:
        return "" if result.status == "ok" and text in result.log_head else f"should print {text!r} and end well"

    return judge


def _held(result: RunResult, out: Path) -> str:
    return "" if result.status == "ok" and result.log_head.strip().endswith("held") else "did not hold"


def _artifact(result: RunResult, out: Path) -> str:
    import hashlib

    found = {artifact.path: (artifact.size, artifact.sha256) for artifact in result.artifacts}
    wanted = {"deep/result.txt": (4, hashlib.sha256(b"done").hexdigest())}
    return "" if found == wanted else f"artifacts should be {wanted}, are {found}"


def _bounded_output(result: RunResult, out: Path) -> str:
    size = len(result.log_head) + len(result.log_tail)
    held = result.truncated and size <= 64 * 1024 and result.log_head.startswith("first")
    return (
        "" if result.status == "ok" and held and result.log_tail.endswith("last\n") else "head and tail should be kept"
    )


def _clean_output(result: RunResult, out: Path) -> str:
    return "" if result.log_head == "a[31mb\nc\ufffdd" else f"should be stripped, is {result.log_head!r}"


def _cpu(result: RunResult, out: Path) -> str:
    # 0.2 s each in a child and a grandchild that were waited for.
    return "" if result.status == "ok" and result.cpu_seconds >= 0.35 else f"saw {result.cpu_seconds:.2f} CPU s of 0.4"


def _prompt_end(result: RunResult, out: Path) -> str:
    return "" if result.status == "ok" and result.device_seconds < 20 else "waited for a stray"


def _few_forks(result: RunResult, out: Path) -> str:
    if result.status == "killed" and "processes" in result.reason:
        return ""
    made = int(result.log_head.split()[-1]) if result.status == "ok" else 1000
    return "" if made <= 40 else f"{made} processes with a limit of 32"


def _disk_held(result: RunResult, out: Path) -> str:
    used = sum(path.stat().st_blocks * 512 for path in out.rglob("*")) >> 20
    return "" if result.status in ("killed", "failed") and used <= 150 else f"{used} MB on disk with a limit of 16"


def _no_survivor(result: RunResult, out: Path) -> str:
    from . import processes

    left = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(*processes.GONE):
            if b"branchlab-stray" in Path(f"/proc/{pid}/cmdline").read_bytes():
                left.append(pid)
    return f"left processes behind: {left}" if left else ""


# A stray: forked twice, in a session of its own, holding the output open, deaf to signals.
STRAY = """
import os, signal, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.execv(sys.executable, [sys.executable, "-I", "-c", "import time; time.sleep(300)", "branchlab-stray"])
    os._exit(0)
time.sleep(0.3)
"""
BURN = "t = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n"
CHILDREN = """
import os, time
def child():
    pid = os.fork()
    if pid == 0:
        data = bytearray(os.urandom(1)) * (70 << 20)
        time.sleep(60)
        os._exit(0)
for _ in range(4):
    child()
time.sleep(60)
"""
FORKS = """
import os, time
made = 0
for _ in range(100):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except BlockingIOError:
        break
    made += 1
time.sleep(0.5)
print(made, flush=True)
os._exit(0)
"""
MANY_FILES = """
import sys
for i in range(280):
    with open(f"{sys.argv[1]}/{i}", "wb") as file:
        file.write(bytes(1 << 20))
import time
time.sleep(30)
"""
SMALL_DISK = Limits(wall_seconds=60, memory_mb=512, disk_mb=16, processes=64)
SMALL_MEMORY = Limits(wall_seconds=60, memory_mb=128, disk_mb=512, processes=64)

CONTRACT = (
    Case("ok", "print('fine')", _prints("fine")),
    Case("exit status", "raise SystemExit(3)", _ends("failed", "3", 3)),
    Case("signal", "import os; os.kill(os.getpid(), 11)", _ends("failed", "SIGSEGV")),
    Case("reads the work tree", "print(open('hello.txt').read() + '!')", _prints("hello!")),
    Case("reads a mount", "import sys; print(open(sys.argv[2] + '/numbers.txt').read())", _prints("1 2 3")),
    Case("artifacts", "import os, sys; os.chdir(sys.argv[1]); os.mkdir('deep'); open('deep/result.txt', 'w').write('done');"
                      " os.symlink('deep/result.txt', 'link'); os.mkfifo('pipe')", _artifact),
    Case("input is empty", "import sys; print(repr(sys.stdin.read()))", _prints("''")),
    Case("environment asked for", "import os; print(os.environ['ASKED'])", _prints("/x"),
         env={"ASKED": "{out}/x"}),
    Case("no secret in the environment",
         f"import os; print('broke' if {CANARY!r} in os.environ else 'held')", _held),
    Case("threads", "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['PYTHONHASHSEED'])", _prints("1 0")),
    Case("timeout", "import time; time.sleep(300)", _ends("timeout"), Limits(1.0, 256, 16, 64)),
    Case("output flood", "import sys; print('first'); sys.stdout.write('x' * (100 << 20)); print('\\nlast')", _bounded_output),
    Case("control characters", "import sys; sys.stdout.buffer.write(b'a\\x1b[31mb\\r\\nc\\xffd')", _clean_output),
    Case("closes its output", "import os, time; os.close(1); os.close(2); time.sleep(0.2)", _ends("ok")),
    Case("cpu time of the tree",
         f"import os, time\n{BURN}pid = os.fork()\nif pid == 0:\n    t = time.process_time()\n    "
         "while time.process_time() - t < 0.2: pass\n    os._exit(0)\nos.waitpid(pid, 0)\n", _cpu),
    Case("stray holds the output", STRAY, _prompt_end),
    Case("stray is ended", STRAY, _no_survivor),
    Case("stray is ended after a timeout", STRAY + "time.sleep(300)", _no_survivor, Limits(2.0, 256, 16, 64)),
    Case("memory of one process", "import time; x = bytearray(b'1') * (300 << 20); time.sleep(60)",
         _ends("out_of_memory"), SMALL_MEMORY),
    Case("memory of many processes", CHILDREN, _ends("out_of_memory"), SMALL_MEMORY),
    Case("one large file", "import sys; open(sys.argv[1] + '/x', 'wb').write(bytes(100 << 20))", _disk_held, SMALL_DISK),
    Case("many files", MANY_FILES, _disk_held, SMALL_DISK),
    Case("deep folders", "import os, sys, time; os.chdir(sys.argv[1])\nfor _ in range(300):\n    os.mkdir('d'); os.chdir('d')",
         _ends("killed", "deep")),
    Case("writes into its own tree", "open('new.txt', 'w').write('x'); open('hello.txt', 'a').write('x'); print('fine')",
         _prints("fine"), work_writable=True),
)  # fmt: skip


def _attempt(body: str, names: str = "import os, socket, sys") -> str:
    """A program that prints `held` when every statement of `body` fails with an OSError."""
    lines = [line for line in body.strip().splitlines() if line.strip()]
    program = [names, "broke = []"]
    for line in lines:
        program += ["try:", f"    {line}", f"    broke.append({line!r})", "except OSError: pass"]
    return "\n".join([*program, "print('broke', broke) if broke else print('held')"])


FILL = """
import os
for folder, cap in (("/dev/shm", 150), ("/tmp", 100), (os.environ["HOME"], 100), ("/dev", 0), ("/", 0), ("/run", 0)):
    written = 0
    try:
        with open(folder + "/fill", "wb") as file:
            for _ in range(160):
                file.write(bytes(1 << 20)); file.flush(); written += 1
    except OSError: pass
    try: os.unlink(folder + "/fill")
    except OSError: pass
    if written > cap: print("broke", folder, written)
print("held")
"""
ISOLATION = (
    Case("host files", _attempt("open(sys.argv[3]).read()\nopen('/etc/shadow').read()\nos.listdir('/root/.ssh')\n"
                                "os.listdir('../private')"), _held),
    Case("writes elsewhere", _attempt("open('hello.txt', 'a')\nopen('new', 'w')\nopen('/usr/x-branchlab', 'w')\n"
                                      "open('/etc/x-branchlab', 'w')\nopen(sys.argv[2] + '/x', 'w')\nos.chmod('hello.txt', 0o777)\n"
                                      "os.rename('hello.txt', 'moved')\nopen(sys.prefix + '/x-branchlab', 'w')"), _held),
    Case("first process's environment",
         "try: seen = open('/proc/1/environ').read()\nexcept OSError: seen = ''\n"
         f"print('broke' if {CANARY!r} in seen else 'held')", _held),
    Case("host network", _attempt("socket.create_connection(('127.0.0.1', int(sys.argv[4])), timeout=3)\n"
                                  "socket.create_connection(('192.0.2.1', 9), timeout=3)"), _held),
    Case("own loopback works", "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
                               "socket.create_connection(s.getsockname(), timeout=3)\nprint('held')", _held),
    Case("host processes", "import os\ntry: n = sum(name.isdigit() for name in os.listdir('/proc'))\n"
                           "except OSError: n = 0\n"
                           "print('held' if n <= 4 else f'broke {n}')", _held),
    Case("descriptors", "import os; fds = set(os.listdir('/proc/self/fd')) - {'0', '1', '2', '3'}\n"
                        "print(f'broke {fds}' if fds else 'held')", _held),
    Case("kernel settings", _attempt("open('/proc/sys/kernel/core_pattern', 'r+')\nopen('/proc/sysrq-trigger', 'r+')\n"
                                     "open('/proc/sys/kernel/hostname', 'r+')"), _held),
    Case("device nodes", _attempt("os.chmod('/dev/null', 0o666)\nos.chmod('/dev/full', 0o666)\n"
                                  "os.unlink('/dev/random')"), _held),
    Case("devices still work", "open('/dev/null', 'w').write('x'); print(len(open('/dev/urandom', 'rb').read(9)), 'held')",
         _held),
    Case("new namespaces", "import ctypes\nlibc = ctypes.CDLL(None)\n"
                           "broke = [hex(f) for f in (0x10000000, 0x20000, 0x40000000) if libc.unshare(f) == 0]\n"
                           "print(f'broke {broke}' if broke else 'held')", _held),
    Case("capabilities", "text = open('/proc/self/status').read()\nprint('held' if 'CapEff:\\t0000000000000000' in text and "
                         "'NoNewPrivs:\\t1' in text else 'broke')", _held),
    Case("fork bomb", FORKS, _few_forks, Limits(60, 512, 16, 32)),
    Case("memory nobody maps", "import os, time\nfd = os.memfd_create('x')\nfor _ in range(280): os.write(fd, bytes(1 << 20))\n"
                               "time.sleep(60)", _ends("out_of_memory"), SMALL_MEMORY),
    Case("memory in a folder", "import time\nwith open('/dev/shm/x', 'wb') as f:\n    for _ in range(120):\n"
                               "        f.write(bytes(1 << 20))\nx = bytearray(b'1') * (100 << 20)\ntime.sleep(60)",
         _ends("out_of_memory"), SMALL_MEMORY),
    Case("unlinked files on disk", "import os, sys, time\nfor i in range(20):\n    f = os.open(f'{sys.argv[1]}/{i}', os.O_CREAT |"
                                   " os.O_WRONLY)\n    os.unlink(f'{sys.argv[1]}/{i}')\n    os.write(f, bytes(8 << 20))\n"
                                   "time.sleep(60)", _ends("killed", "disk"), SMALL_DISK),
    Case("fill every writable folder", FILL, _held, Limits(60, 150, 100, 64)),
)  # fmt: skip

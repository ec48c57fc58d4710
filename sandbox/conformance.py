"""What every backend must do, as cases that any Runner can be put through; tests/sandbox/test_conformance.py does.

A case is a short program, run as a request, and a judgement of its result. `CONTRACT` holds for every backend, `ISOLATION`
for those that claim any. Attacks are bounded: at most 2.5 GB and 700 processes, loopback only.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import attacks, environments
from .host import CANARY, SECRET, Host
from .runner import Limits, Runner, RunRequest, RunResult

DEFAULT = Limits(wall_seconds=60, memory_mb=512, disk_mb=64, processes=128, log_kb=64)
Judgement = Callable[[RunResult, Path], str]
"""Result and the run's `out`; what is wrong in words, empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    program: str
    """Python, run with -I in `work`; its arguments are out, data, and `Host.facts`."""
    judge: Judgement
    limits: Limits = DEFAULT
    work_writable: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    needs_root: bool = False
    """Holds only where the backend is started by root: an ordinary user cannot look that deep."""


def run_case(case: Case, runner: Runner, folder: Path) -> str:
    """What the backend does wrong in this case, in words; empty when it passes. `folder` must be new and empty. A case that
    needs root is not run for others."""
    if case.needs_root and os.geteuid() != 0:
        return ""
    work, out, data, private = (folder / name for name in ("tree", "results", "inputs", "private"))
    for path in (work, out, data, private):
        path.mkdir()
    (work / "hello.txt").write_text("hello")
    (data / "numbers.txt").write_text("1 2 3")
    with Host(private) as host:
        request = RunRequest(
            argv=("python", "-I", "-c", case.program, "{out}", "{data}", *host.facts),
            interpreter=environments.find(),
            work=work,
            out=out,
            limits=case.limits,
            mounts={"data": data},
            env=case.env,
            work_writable=case.work_writable,
        )
        result = runner.run(request)
        if touched := host.touched():
            return f"reached the host: {touched}"
    if (work / "hello.txt").read_text() != "hello" or sorted(os.listdir(work)) != ["hello.txt"]:
        return "the work tree was changed"
    if (data / "numbers.txt").read_text() != "1 2 3" or sorted(os.listdir(data)) != ["numbers.txt"]:
        return "the data was changed"
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


def _filled(result: RunResult, out: Path) -> str:
    # Where writable folders are counted by a watchdog, the run may be killed at the limit before the write that fails.
    stopped = result.status == "killed" and result.reason.endswith("of disk") and not result.log_head
    return "" if stopped else _held(result, out)


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


def _disk_held(most_mb: int) -> Judgement:
    def judge(result: RunResult, out: Path) -> str:
        used = sum(path.stat().st_blocks * 512 for path in out.rglob("*")) >> 20
        held = result.status in ("killed", "failed") and used <= most_mb
        return "" if held else f"{used} MB on disk with a limit of 64"

    return judge


def _ends_without_a_fault_of_ours(result: RunResult, out: Path) -> str:
    return "" if result.status != "sandbox_failed" else "blamed on the sandbox"


def _no_survivor(result: RunResult, out: Path) -> str:
    from . import processes

    left = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(*processes.GONE):
            if b"branchlab-stray" in Path(f"/proc/{pid}/cmdline").read_bytes():
                left.append(pid)
    return f"left processes behind: {left}" if left else ""


SMALL_DISK = Limits(wall_seconds=60, memory_mb=512, disk_mb=64, processes=64)
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
         f"import os, time\n{attacks.BURN}pid = os.fork()\nif pid == 0:\n    t = time.process_time()\n    "
         "while time.process_time() - t < 0.2: pass\n    os._exit(0)\nos.waitpid(pid, 0)\n", _cpu),
    Case("stray holds the output", attacks.STRAY, _prompt_end),
    Case("stray is ended", attacks.STRAY, _no_survivor),
    Case("stray is ended after a timeout", attacks.STRAY + "time.sleep(300)", _no_survivor, Limits(2.0, 256, 16, 64)),
    Case("memory of one process", "import time; x = bytearray(b'1') * (300 << 20); time.sleep(60)",
         _ends("out_of_memory"), SMALL_MEMORY),
    Case("memory of many processes", attacks.CHILDREN, _ends("out_of_memory"), SMALL_MEMORY),
    Case("one large file", "import sys; open(sys.argv[1] + '/x', 'wb').write(bytes(100 << 20))", _disk_held(65), SMALL_DISK),
    Case("many files", attacks.MANY_FILES, _disk_held(500), SMALL_DISK),
    Case("deep folders", "import os, sys, time; os.chdir(sys.argv[1])\nfor _ in range(300):\n    os.mkdir('d'); os.chdir('d')",
         _ends("killed", "deep")),
    Case("names too long to read", attacks.LONG_NAMES, _ends_without_a_fault_of_ours),
    Case("shuts its own output", "import os, sys, time; os.chmod(sys.argv[1], 0); time.sleep(0.3)",
         _ends_without_a_fault_of_ours),
    Case("writes into its own tree", "open('new.txt', 'w').write('x'); open('hello.txt', 'a').write('x'); print('fine')",
         _prints("fine"), work_writable=True),
)  # fmt: skip


ISOLATION = (
    Case("host files", attacks.HOST_FILES, _held),
    Case("writes elsewhere", attacks.WRITES_ELSEWHERE, _held),
    Case("first process's environment", f"MARK = {SECRET.encode()!r}\n" + attacks.FIRST_ENVIRONMENT, _held),
    Case("every process's environment", f"MARK = {SECRET.encode()!r}\n" + attacks.EVERY_ENVIRONMENT, _held),
    Case("host network", attacks.HOST_NETWORK, _held),
    Case("host datagrams", attacks.DATAGRAM, _held),
    Case("host sockets by name", attacks.HOST_SOCKETS, _held),
    Case("own loopback works", "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
                               "socket.create_connection(s.getsockname(), timeout=3)\nprint('held')", _held),
    Case("host shared memory", attacks.HOST_SHARED_MEMORY, _held),
    Case("new shared memory", attacks.NEW_SHARED_MEMORY, _held),
    Case("shared memory segments", attacks.SEGMENTS, _held),
    Case("host processes are out of sight", attacks.PROCESSES_SEEN, _held),
    Case("host processes are out of reach", attacks.HOST_PROCESSES, _held),
    Case("descriptors", "import os; fds = set(os.listdir('/proc/self/fd')) - {'0', '1', '2', '3'}\n"
                        "print(f'broke {fds}' if fds else 'held')", _held),
    Case("kernel settings", attacks.KERNEL_SETTINGS, _held),
    Case("device nodes", attacks.DEVICE_NODES, _held),
    Case("devices still work", "open('/dev/null', 'w').write('x'); print(len(open('/dev/urandom', 'rb').read(9)), 'held')",
         _held),
    Case("namespaces and mounts", attacks.MOUNTS, _held),
    Case("capabilities", "text = open('/proc/self/status').read()\nprint('held' if 'CapEff:\\t0000000000000000' in text and "
                         "'NoNewPrivs:\\t1' in text else 'broke')", _held),
    Case("setuid programs", attacks.SETUID, _held),
    Case("set-user-id files", attacks.SET_ID_FILES, _held),
    Case("fork bomb", attacks.FORKS, _few_forks, Limits(60, 512, 16, 32)),
    Case("memory bomb", attacks.MEMORY_BOMB, _ends("out_of_memory"), Limits(60, 1024, 16, 32)),
    Case("memory bomb of children", attacks.MEMORY_OF_CHILDREN, _ends("out_of_memory"), Limits(60, 1024, 16, 32)),
    Case("memory nobody maps", attacks.UNMAPPED, _ends("out_of_memory"), SMALL_MEMORY),
    Case("memory in a folder", attacks.FOLDER_AND_HEAP, _ends("out_of_memory"), SMALL_MEMORY),
    Case("unlinked files on disk", attacks.NAMELESS, _ends("killed", "disk"), SMALL_DISK),
    Case("mapped files without a name", attacks.MAPPED, _ends("killed", "disk"), SMALL_DISK, needs_root=True),
    Case("pressure triggers", attacks.PRESSURE, _held),
    Case("60,000 files", attacks.MANY_NAMES, _ends("killed", "files"), Limits(60, 512, 512, 32)),
    Case("fill every writable folder", attacks.FILL, _filled, Limits(60, 150, 100, 64)),
)  # fmt: skip

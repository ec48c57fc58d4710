"""Runs the whole program again and again, each time in a process of its own that something happens to.

`python tests/fault_driver.py` reads one JSON object a line: the words of a command line, and faults. It forks, the child
runs the real command, and the answer is one JSON line: the exit status, and whatever was still running afterwards. Forking
spares each process the import of everything; nothing of one child reaches the next.

A fault is a point of the real program and what happens there (`Fault`). Besides that three things are held fixed, so that
one run can be compared with another: a step is charged STEP_SECONDS whatever it took; a trial runs only while the graph
waits for one, so that the order of rows does not depend on the machine; and the seconds of what runs are written down
only where the order names a `meter`, for a kill leaves a charge of them on a slow machine and none on a fast one.
"""

import contextlib
import functools
import importlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from branchlab.agent import cli, graph, slots
from branchlab.agent.slots import Slots
from branchlab.evals import ledger
from branchlab.evals.judge import Judge
from branchlab.evals.ledger import Ledger
from branchlab.evals.trial import Trial
from branchlab.sandbox import backends, bwrap, processes
from branchlab.sandbox.runner import Runner, RunRequest, RunResult
from branchlab.sandbox.supervise import adopt_orphans

STEP_SECONDS = 1.0
NO_METER = 86400.0
LOOKS = 3000
NODES = (
    "read", "calibrate", "probe", "propose", "merge", "tune", "check", "branch", "run", "judge", "rerun", "confirm", "attribute", "scale_up", "seal", "report",
)  # fmt: skip
IMPORTED_LATE = (
    "branchlab.agent.commands", "branchlab.evals.report.build", "branchlab.evals.report.render", "langgraph.graph",
    "langgraph.checkpoint.sqlite", "matplotlib.backends.backend_svg", "matplotlib.pyplot", "optuna", "scipy.stats",
)  # fmt: skip
"""What each child would import for itself."""
WRITES = (
    "start_run", "set_status", "update_settings", "add_trial", "add_proposal", "update_proposal", "open_sealed",
    "charge_model", "keep_answer", "keep_card",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` is `node:NAME:before`, `node:NAME:after`, `write:METHOD:before` (in the transaction, before its commit),
    `write:METHOD:after`, `step:NAME:before` (a sandboxed step) or `run:before`; `nth` counts from 1.

    `do` is `kill` (SIGKILL to itself), `signal N`, `running N` (signal N to itself once the candidate runs), `sandbox outer`
    and `sandbox inner` (SIGKILL to that process of the sandbox, once the candidate runs), `raise`, `unlink PATH`,
    `fill PATH` (a file as large as its disk allows), `lock PATH SECONDS` (another connection writes to that database for so
    long), or `clock SECONDS` (the wall clock jumps).
    """

    at: str
    do: str
    nth: int = 1


class Faults:
    """Counts the visits of each fault's point, and does what it says at the nth."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._left = dict.fromkeys(faults, 0)
        self._lock = threading.Lock()

    def at(self, point: str) -> None:
        due = []
        with self._lock:
            for fault in self._left:
                if fault.at == point:
                    self._left[fault] += 1
                    due += [fault] if self._left[fault] == fault.nth else []
        for fault in due:
            self._happen(fault)

    def _happen(self, fault: Fault) -> None:
        what, _, rest = fault.do.partition(" ")
        match what:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "signal":
                os.kill(os.getpid(), int(rest))
            case "running":
                threading.Thread(target=_once_running, args=(int(rest), "self"), daemon=True).start()
            case "raise":
                raise RuntimeError("a fault of the worker, on purpose")
            case "unlink":
                Path(rest).unlink()
            case "fill":
                _fill(Path(rest))
            case "lock":
                path, _, seconds = rest.rpartition(" ")
                _lock(path, float(seconds))
            case "clock":
                real, shift = time.time, float(rest)
                time.time = lambda: real() + shift
            case "sandbox":
                threading.Thread(target=_once_running, args=(signal.SIGKILL, rest), daemon=True).start()


def _once_running(number: int, whom: str) -> None:
    """Sends the signal as soon as a step's own program runs: to this process, or to the sandbox's `outer` or `inner` one."""
    for _ in range(LOOKS):
        pids = processes.tree(os.getpid()).pids
        for outer, inner, program in zip(pids, pids[1:], pids[2:], strict=False):
            with contextlib.suppress(OSError):
                if _program(inner).endswith("bwrap") and "python" in _program(program):
                    os.kill({"self": os.getpid(), "outer": outer, "inner": inner}[whom], number)
                    return
        time.sleep(0.001)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def _lock(path: str, seconds: float) -> None:
    """Returns once the database is locked; a thread of its own gives it back."""
    locked = threading.Event()

    def hold() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            locked.set()
            threading.Event().wait(seconds)

    threading.Thread(target=hold, daemon=True).start()
    locked.wait()


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()


class FixedSeconds:
    """The real backend; what it measures is replaced by fixed figures."""

    def __init__(self, real: Runner, faults: Faults) -> None:
        self.name = real.name
        self._real, self._faults = real, faults

    def run(self, request: RunRequest) -> RunResult:
        self._faults.at(f"step:{_step(request)}:before")
        result = self._real.run(request)
        return replace(result, device_seconds=STEP_SECONDS, cpu_seconds=STEP_SECONDS, peak_memory_mb=1.0)

    def cancel(self) -> None:
        self._real.cancel()


def _step(request: RunRequest) -> str:
    return Path(next(word for word in request.argv if word.endswith(".py"))).stem


def install(faults: Faults, meter: float) -> None:
    """Puts the fault's points, the fixed figures and the fixed order into this process."""
    slots.METER_SECONDS = meter
    for name in NODES:
        setattr(graph, name, _node(getattr(graph, name), faults))
    _writes(faults)
    _judge(faults)
    _order()
    choose = backends.choose
    backends.choose = lambda name="auto": FixedSeconds(choose(name), faults)


def _node(function: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    @functools.wraps(function)
    def node(*args: Any) -> Any:
        faults.at(f"node:{function.__name__}:before")
        state = function(*args)
        faults.at(f"node:{function.__name__}:after")
        return state

    return node


def _writes(faults: Faults) -> None:
    writing = threading.local()
    transaction = Ledger._write

    @contextlib.contextmanager
    def write(self: Ledger) -> Iterator[Any]:
        name = getattr(writing, "name", "")
        with transaction(self) as connection:
            yield connection
            faults.at(f"write:{name}:before")
        faults.at(f"write:{name}:after")

    def named(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            writing.name = name
            try:
                return method(*args, **kwargs)
            finally:
                writing.name = ""

        return call

    Ledger._write = write  # type: ignore[method-assign]
    for name in (*WRITES, "meter"):
        setattr(Ledger, name, named(name, getattr(Ledger, name)))


def _judge(faults: Faults) -> None:
    run = Judge.run

    @functools.wraps(run)
    def judged(*args: Any, **kwargs: Any) -> Any:
        faults.at("run:before")
        return run(*args, **kwargs)

    Judge.run = judged  # type: ignore[method-assign]


def _order() -> None:
    """One trial runs for each time the graph waits, and none in between."""
    turns = threading.Semaphore(0)
    submit, wait, close = Slots.submit, Slots.wait, Slots.close

    def submitted(self: Slots, work: Callable[[], Any]) -> None:
        def in_turn() -> Any:
            turns.acquire()
            return work()

        submit(self, in_turn)

    def waited(self: Slots, meanwhile: Callable[[], None] = lambda: None) -> Trial:
        turns.release()
        return wait(self, meanwhile, slots.METER_SECONDS)

    def closed(self: Slots) -> None:
        turns.release(1000)
        close(self)

    Slots.submit, Slots.wait, Slots.close = submitted, waited, closed  # type: ignore[method-assign, assignment]


def child(order: dict[str, Any]) -> None:
    """Becomes the command, its output in the files the order names. Never returns."""
    os.chdir(order["folder"])
    # A shell's background job and nohup, as CI may run us, ignore these, and so would every child.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if place := order.get("bwrap"):
        bwrap._candidates = lambda: [(Path(place[0]), Path(place[1]))]
    ledger.BUSY_SECONDS = order.get("busy", ledger.BUSY_SECONDS)
    for name, number in (("stdout", 1), ("stderr", 2)):
        opened = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
    install(Faults([Fault(**fault) for fault in order["faults"]]), order.get("meter", NO_METER))
    sys.argv = ["branchlab", *order["words"]]
    code: Any = 1
    try:
        cli.main(prog_name="branchlab")
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 (shown as the interpreter would, and the exit code is its)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def left_running() -> list[str]:
    """Command lines of what outlived the child after many looks; empty as soon as nothing does."""
    names: list[str] = []
    for _ in range(LOOKS):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        names = []
        for pid in processes.tree(os.getpid()).pids:
            if pid != os.getpid():
                with contextlib.suppress(OSError):
                    names.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip() or "?")
        if not names:
            return []
        time.sleep(0.002)
    return names


def main() -> None:
    for name in IMPORTED_LATE:
        importlib.import_module(name)

    adopt_orphans()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(order)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(json.dumps({"code": code, "running": left_running()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

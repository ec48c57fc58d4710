"""The filter in the real sandbox: each call is made there, under three filters.

Many of the calls would be refused with EPERM without any filter too, for want of a capability, so that the answer alone
shows nothing. The same program is therefore also run under the very same filter with other error numbers in it, which
no kernel gives: a call that comes back with one of those was stopped by the filter and by nothing else.
"""

import errno
import json
import platform
import struct
from pathlib import Path

import pytest

from branchlab.sandbox import environments, seccomp
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.runner import Limits, RunRequest, RunResult
from branchlab.sandbox.syscalls import DENIED, MACHINES

from .test_conformance import backend

MARK = 2000
"""Added to the error numbers of the marked filter: no kernel has one as high."""
COLUMN = {"x86_64": 0, "aarch64": 1}
MACHINE = MACHINES.get(platform.machine())
pytestmark = pytest.mark.skipif(MACHINE is None, reason=f"no filter on {platform.machine()}")

CALLS = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
found = {}
for name, number, arguments in json.load(open(sys.argv[1])):
    ctypes.set_errno(0)
    value = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(word) for word in arguments])
    if name.startswith("clone ") and value == 0:
        os._exit(0)  # the new process, where it was made
    found[name] = ctypes.get_errno() if value == -1 else 0
print(json.dumps(found))
"""
SPECIAL_ARGUMENTS: dict[str, tuple[int, ...]] = {
    "unshare": (0,), "kcmp": (1, 1, 0, 0, 0), "vhangup": (), "ptrace": (-1, -1, 0, 0),
}  # fmt: skip
"""Where -1 six times would not do: what is asked is nothing (unshare), or something that is allowed (kcmp)."""


def calls() -> list[tuple[str, int, tuple[int, ...]]]:
    """Every call that must not be, with arguments that do no harm where it is not refused."""
    assert MACHINE is not None
    numbers = {name: pair[COLUMN[platform.machine()]] for name, pair in DENIED.items()}
    found = [(name, n, SPECIAL_ARGUMENTS.get(name, (-1,) * 6)) for name, n in numbers.items() if n is not None]
    for family in (17, 38, 40, 44):
        found += [(f"socket {family}", MACHINE.socket, (family, 1, 0))]
        found += [(f"socketpair {family}", MACHINE.socketpair, (family, 1, 0, 0))]
    for request in (0x5412, 0x541C):
        found += [(f"ioctl {request:#x}", MACHINE.ioctl, (-1, request, 0))]
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        found += [(f"clone {flag:#x}", MACHINE.clone, (flag | 17, 0, 0, 0, 0))]
    found += [("clone3", MACHINE.clone3, (0, 0))]
    return found + ([("x32 getpid", 0x40000000 | 39, ())] if MACHINE.x32 else [])


def wanted(name: str) -> int:
    if name.startswith("socket"):
        return errno.EAFNOSUPPORT
    return errno.ENOSYS if name == "clone3" or name.startswith("x32") else errno.EPERM


def marked(program: bytes) -> bytes:
    """The same filter, answering with error numbers of its own."""
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    refusing = [(op, t, f, value + MARK if op == 0x06 and value >> 16 == 5 else value) for op, t, f, value in steps]
    return b"".join(struct.pack("=HBBI", *step) for step in refusing)


def sandbox(program: bytes | None) -> Bubblewrap:
    """bubblewrap as it is, with another filter."""
    assert isinstance(backend("bubblewrap"), Bubblewrap)  # skips, or fails, where there is none
    runner = Bubblewrap()
    runner._seccomp = program
    return runner


def python(runner: Bubblewrap, folder: Path, code: str, *, asked: object = None, seconds: float = 60.0) -> RunResult:
    work, out = folder / "work", folder / "out"
    work.mkdir(parents=True)
    out.mkdir()
    (work / "asked.json").write_text(json.dumps(asked))
    (work / "program.py").write_text(code)
    argv = ("python", "-I", "program.py", "{work}/asked.json", "{out}")
    return runner.run(RunRequest(argv, environments.find(), work, out, Limits(seconds, 3000, 256, 200)))


def answers(program: bytes | None, folder: Path) -> dict[str, int]:
    result = python(sandbox(program), folder, CALLS, asked=calls())
    assert result.status == "ok", result.log_head
    found: dict[str, int] = json.loads(result.log_head)
    return found


def test_each_denied_call_is_stopped_by_the_filter(tmp_path: Path) -> None:
    real = seccomp.program()
    assert real is not None
    names = [name for name, _, _ in calls()]
    assert answers(real, tmp_path / "real") == {name: wanted(name) for name in names}
    assert answers(marked(real), tmp_path / "marked") == {name: wanted(name) + MARK for name in names}


def test_without_the_filter_the_kernel_would_take_up_the_calls(tmp_path: Path) -> None:
    """Those that a run could really have made: else this list would guard what is shut anyway."""
    bare = answers(None, tmp_path)
    assert bare["unshare"] == 0
    assert bare["kcmp"] == 0
    open_without_it = {name for name, code in bare.items() if code not in (errno.EPERM, errno.ENOSYS)}
    assert {"keyctl", "add_key", "ptrace", "process_vm_readv", "ioctl 0x5412", "clone3"} <= open_without_it
    assert bare["clone3"] != errno.ENOSYS


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is x86-64's")
def test_a_call_through_the_gate_of_another_architecture_kills(tmp_path: Path) -> None:
    """`int 0x80` enters by the table of i386, whose numbers mean other calls."""
    code = """
import ctypes, mmap, os, signal
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
child = os.fork()
if child == 0:
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
    os._exit(0)
status = os.waitpid(child, 0)[1]
print(signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "lived")
"""
    ended = {}
    for name, program in {"filter": seccomp.program(), "none": None}.items():
        ended[name] = python(sandbox(program), tmp_path / name, code).log_head.strip()
    assert ended["filter"] == "SIGSYS"
    assert ended["none"] in ("lived", "SIGSEGV"), "a kernel without 32-bit calls faults"


def test_threads_and_children_work_without_clone3(tmp_path: Path) -> None:
    code = """
import concurrent.futures, multiprocessing, subprocess, threading
def square(x):
    return x * x
if __name__ == "__main__":
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(square, range(100))) == 328350
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    assert subprocess.run(["true"]).returncode == 0
    print("held")
"""
    result = python(sandbox(seccomp.program()), tmp_path, code)
    assert (result.status, result.log_head.strip()) == ("ok", "held"), result.log_head


@pytest.mark.train
def test_torch_loads_data_in_workers_and_trains_over_loopback(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    code = """
import os, torch, torch.distributed as dist, torch.multiprocessing as mp
from torch.utils.data import DataLoader, TensorDataset
def rank(number, world):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29511", rank=number, world_size=world)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    model(torch.full((4, 2), float(number))).sum().backward()
    total = torch.ones(1) * (number + 1)
    dist.all_reduce(total)
    assert total.item() == 3.0
    assert model.module.weight.grad[0, 0].item() == 2.0, model.module.weight.grad
    dist.destroy_process_group()
if __name__ == "__main__":
    data = TensorDataset(torch.arange(64.0).reshape(32, 2))
    loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork")
    assert sum(batch[0].sum().item() for batch in loader) == 2016.0
    mp.spawn(rank, args=(2,), nprocs=2)
    print("held")
"""
    result = python(sandbox(seccomp.program()), tmp_path, code, seconds=240)
    assert result.status == "ok", result.log_head
    assert result.log_head.strip().endswith("held")

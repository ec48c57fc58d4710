"""The filter under a small interpreter of classic BPF: no privilege, every rule, for both machines on either."""

import errno
import platform
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.sandbox import file_modes, seccomp
from branchlab.sandbox.syscalls import DENIED, MACHINES, Machine

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028, "other": 0}
HEADERS = {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "/usr/include/asm-generic/unistd.h"}
ORDINARY = {
    "read": (0, 63), "write": (1, 64), "mmap": (9, 222), "execve": (59, 221), "futex": (202, 98), "exit_group": (231, 94),
    "openat": (257, 56), "memfd_create": (319, 279), "pidfd_open": (434, 434), "prctl": (157, 167), "shmat": (30, 196),
    "set_mempolicy": (238, 237), "faccessat2": (439, 439),
}  # fmt: skip
"""A GPU driver needs memfd_create, a training needs the rest."""
COLUMN = {"x86_64": 0, "aarch64": 1}
NAMES = ("x86_64", "aarch64")


def filter_of(name: str, *, fork_server: bool = False) -> list[tuple[int, int, int, int]]:
    program = seccomp.program(name, fork_server=fork_server)
    assert program is not None
    return [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]


PROGRAMS = {name: filter_of(name) for name in NAMES}
PROGRAMS |= {f"{name} fork server": filter_of(name, fork_server=True) for name in NAMES}


@dataclass(frozen=True)
class Kernel:
    """Does with a call what the kernel of a machine would."""

    name: str
    program: str = ""
    """Of PROGRAMS; that of a run on this machine when empty."""

    @property
    def machine(self) -> Machine:
        return MACHINES[self.name]

    def verdict(self, number: int, *arguments: int, arch: str = "") -> int:
        words = (*arguments, *[0] * 6)[:6]
        data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, ARCHITECTURES[arch or self.name], 0, *words)
        at = accumulator = 0
        while True:
            operation, if_true, if_false, value = PROGRAMS[self.program or self.name][at]
            at += 1
            if operation == 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            elif operation == 0x06:
                return value
            else:
                held = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
                at += if_true if held[operation] else if_false

    def number(self, table: dict[str, tuple[int | None, int | None]], call: str) -> int | None:
        return table[call][COLUMN[self.name]]


@pytest.fixture(params=NAMES)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return Kernel(request.param)


def refused(code: int) -> int:
    return 0x00050000 | code


@pytest.mark.parametrize("call", DENIED)
def test_denied_calls(kernel: Kernel, call: str) -> None:
    number = kernel.number(DENIED, call)
    assert number is None or kernel.verdict(number) == refused(errno.EPERM)


@pytest.mark.parametrize("call", ORDINARY)
def test_ordinary_calls(kernel: Kernel, call: str) -> None:
    assert kernel.verdict(ORDINARY[call][COLUMN[kernel.name]]) == ALLOW


def test_clone_makes_threads_but_no_namespace(kernel: Kernel) -> None:
    assert kernel.verdict(kernel.machine.clone, 0x3D0F00) == ALLOW
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert kernel.verdict(kernel.machine.clone, flag | 17) == refused(errno.EPERM)
    assert kernel.verdict(kernel.machine.clone3) == refused(errno.ENOSYS)


def test_socket_families(kernel: Kernel) -> None:
    for call in (kernel.machine.socket, kernel.machine.socketpair):
        assert [kernel.verdict(call, family) for family in (1, 2, 10, 16)] == [ALLOW] * 4
        for family in (0, 3, 17, 38, 40, 44):  # packet, alg, vsock, xdp among them
            assert kernel.verdict(call, family) == refused(errno.EAFNOSUPPORT)


def test_terminal_input_cannot_be_forged(kernel: Kernel) -> None:
    ioctl = kernel.machine.ioctl
    assert kernel.verdict(ioctl, 0, 0x5412) == refused(errno.EPERM)
    assert kernel.verdict(ioctl, 0, 0x541C) == refused(errno.EPERM)
    assert kernel.verdict(ioctl, 0, 0x5413) == ALLOW
    # The kernel looks at the low half only, so the high half must not hide the request.
    assert kernel.verdict(ioctl, 0, 0x5412 | 1 << 40) == refused(errno.EPERM)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_calls_of_another_architecture_kill(kernel: Kernel, arch: str) -> None:
    assert (kernel.verdict(0, arch=arch) == KILL) == (arch != kernel.name)


def test_the_second_table_of_x86_64_is_closed() -> None:
    for number in (101, 0, 512, 520):
        assert Kernel("x86_64").verdict(0x40000000 | number) == refused(errno.ENOSYS)
    assert Kernel("aarch64").verdict(0x40000000 | 117) == ALLOW, "the kernel itself has no such call there"


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_every_call_gets_one_of_five_answers(name: str, number: int, arguments: list[int]) -> None:
    answers = [refused(code) for code in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT)]
    kernel = Kernel(name)
    found = kernel.verdict(number, *arguments)
    assert found in (ALLOW, *answers)
    # What may be refused at all is known, so a slip in a jump cannot hit another call.
    machine = kernel.machine
    modes = (*file_modes.MODE_AT.values(), *file_modes.OPEN_AT.values(), file_modes.OPENAT2)
    named = {machine.ioctl, machine.socket, machine.socketpair, machine.clone, machine.clone3, machine.prctl}
    named |= {*machine.denied, *(call for numbers in modes if (call := numbers[machine.column]) is not None)}
    assert found == ALLOW or number in named or (machine.x32 and number >= 0x40000000)
    assert all(kernel.verdict(number, *arguments, arch=other) == KILL for other in ARCHITECTURES if other != name)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_the_kernels(name: str) -> None:
    header = Path(HEADERS[name])
    if not header.is_file():
        pytest.skip(f"no kernel headers here: {header}")
    text = header.read_text()
    known = {m[1]: int(m[2]) for m in re.finditer(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", text, re.MULTILINE)}
    wanted = {call: numbers[COLUMN[name]] for call, numbers in DENIED.items()}
    # Older headers lack the newest call; no header may know it by another number.
    assert {call: known.get(call) for call in wanted} | {"open_tree_attr": 467} == wanted
    assert known.get("open_tree_attr", 467) == 467
    ordinary = {call: numbers[COLUMN[name]] for call, numbers in ORDINARY.items()}
    assert {call: known.get(call) for call in ordinary} == ordinary
    machine = MACHINES[name]
    for call in ("ioctl", "socket", "socketpair", "clone", "clone3"):
        assert known[call] == getattr(machine, call)


def test_there_is_a_filter_only_where_the_numbers_are_known() -> None:
    assert seccomp.program("riscv64") is None
    assert seccomp.program() == seccomp.program(platform.machine())


SET_ID_FILES = [
    ("x86_64", 2, (0, 0x41, 0o4755)), ("x86_64", 257, (0, 0, 0x41, 0o2755)), ("x86_64", 257, (0, 0, 0x410002, 0o4755)),
    ("x86_64", 85, (0, 0o6755)), ("x86_64", 133, (0, 0o104755)), ("x86_64", 259, (0, 0, 0o104755)),
    ("x86_64", 90, (0, 0o4755)), ("x86_64", 91, (0, 0o4755)), ("x86_64", 268, (0, 0, 0o4755)),
    ("x86_64", 452, (0, 0, 0o4755)), ("aarch64", 56, (0, 0, 0x41, 0o4755)), ("aarch64", 33, (0, 0, 0o104755)),
    ("aarch64", 52, (0, 0o4755)), ("aarch64", 53, (0, 0, 0o2755)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "arguments"), SET_ID_FILES)
def test_no_file_gets_a_set_id_bit(name: str, number: int, arguments: tuple[int, ...]) -> None:
    assert Kernel(name).verdict(number, *arguments) == refused(errno.EPERM)


def test_ordinary_opening() -> None:
    ordinary = [(2, (0, 0x41, 0o666)), (257, (0, 0, 0x41, 0o644)), (85, (0, 0o644)), (257, (0, 0, 0x10000))]
    # A file that is not made has no mode: that argument holds whatever was there.
    for number, arguments in [*ordinary, (257, (0, 0, 0, 0o4755))]:
        assert Kernel("x86_64").verdict(number, *arguments) == ALLOW
    assert Kernel("x86_64").verdict(437) == refused(errno.ENOSYS)


def test_a_process_cannot_hide_from_the_watchdog(kernel: Kernel) -> None:
    assert kernel.verdict(kernel.machine.prctl, 4, 0) == refused(errno.EPERM)
    for option in (1, 3, 15, 38):  # parent-death signal, get dumpable, name, no_new_privs
        assert kernel.verdict(kernel.machine.prctl, option) == ALLOW


@pytest.mark.parametrize("call", DENIED)
def test_a_fork_server_may_enter_namespaces_and_is_denied_the_rest(kernel: Kernel, call: str) -> None:
    server = Kernel(kernel.name, f"{kernel.name} fork server")
    number = kernel.number(DENIED, call)
    allowed = call in ("setns", "unshare")
    assert number is None or server.verdict(number) == (ALLOW if allowed else refused(errno.EPERM))
    assert server.verdict(kernel.machine.prctl, 4, 1) == ALLOW
    assert server.verdict(kernel.machine.clone, 0x10000000 | 17) == refused(errno.EPERM)
    assert server.verdict(kernel.machine.socket, 40) == refused(errno.EAFNOSUPPORT)

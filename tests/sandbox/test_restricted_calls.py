"""The second filter under a small interpreter of classic BPF: no privilege, every rule, both machines."""

import errno
import platform
import struct

import pytest

from branchlab.sandbox.restricted_calls import HOST_WIDE, METADATA, OTHER_PROCESSES, PID_FIRST, PID_SECOND, program

ALLOW = 0x7FFF0000
MACHINES = {"x86_64": 0, "aarch64": 1}
SOCKET, PAIR = (41, 198), (53, 199)
both = pytest.mark.parametrize("machine", MACHINES)
either = pytest.mark.parametrize("own_user", [True, False])


def refused(code: int) -> int:
    return 0x00050000 | code


def verdict(number: int, *arguments: int, own_user: bool, machine: str = "x86_64", network: bool = False) -> int:
    """What the kernel would do with this call."""
    text = program(own_user=own_user, network=network, machine=machine)
    assert text
    code = list(struct.iter_unpack("=HBBI", text))
    data = struct.pack("=IIQ6Q", number, 0, 0, *(tuple(arguments) + (0,) * 6)[:6])
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            at += if_true if {0x15: accumulator == value, 0x45: bool(accumulator & value)}[operation] else if_false


@both
@either
@pytest.mark.parametrize("name", HOST_WIDE)
def test_what_processes_of_one_host_share(name: str, machine: str, own_user: bool) -> None:
    if (number := HOST_WIDE[name][MACHINES[machine]]) is not None:
        assert verdict(number, own_user=own_user, machine=machine) == refused(errno.EPERM)


@both
@pytest.mark.parametrize("name", METADATA | OTHER_PROCESSES)
def test_metadata_is_refused_only_to_who_shares_a_user(name: str, machine: str) -> None:
    number = (METADATA | OTHER_PROCESSES)[name][MACHINES[machine]]
    if number is not None:
        assert verdict(number, 0, own_user=False, machine=machine) == refused(errno.EPERM)
        assert verdict(number, 0, own_user=True, machine=machine) == ALLOW


@both
def test_another_processes_limits_and_priority(machine: str) -> None:
    column = MACHINES[machine]
    for numbers in PID_FIRST.values():
        number = numbers[column]
        assert number is not None
        assert verdict(number, 0, own_user=False, machine=machine) == ALLOW
        assert verdict(number, 4321, own_user=False, machine=machine) == refused(errno.EPERM)
        assert verdict(number, 4321, own_user=True, machine=machine) == ALLOW
    for name, itself in (("setpriority", 0), ("ioprio_set", 1)):
        number = PID_SECOND[name][column]
        assert number is not None
        assert verdict(number, itself, 0, own_user=False, machine=machine) == ALLOW
        assert verdict(number, itself, 4321, own_user=False, machine=machine) == refused(errno.EPERM)
        # Everything of the user's, or of the group of processes.
        assert verdict(number, itself + 2, 0, own_user=False, machine=machine) == refused(errno.EPERM)


@both
def test_socket_families(machine: str) -> None:
    column = MACHINES[machine]
    families = (1, 2, 10, 16, 17, 40)

    def allowed(call: tuple[int, int], own_user: bool, network: bool) -> list[int]:
        found = {f: verdict(call[column], f, own_user=own_user, network=network, machine=machine) for f in families}
        assert set(found.values()) <= {ALLOW, refused(errno.EAFNOSUPPORT)}
        return [family for family, answer in found.items() if answer == ALLOW]

    assert allowed(SOCKET, own_user=True, network=False) == [1]
    assert allowed(SOCKET, own_user=False, network=False) == []
    assert allowed(SOCKET, own_user=True, network=True) == [1, 2, 10, 16]
    assert allowed(SOCKET, own_user=False, network=True) == [2, 10, 16]
    for own_user in (True, False):
        for network in (True, False):
            assert allowed(PAIR, own_user, network) == [1]


@either
def test_ordinary_calls(own_user: bool) -> None:
    """read, write, mmap, fork, execve, futex, exit_group, memfd_create, rename, unlink, mkdir, ftruncate, ..."""
    for number in (0, 1, 9, 56, 57, 59, 202, 231, 319, 82, 87, 83, 77, 262, 334, 439):
        assert verdict(number, own_user=own_user) == ALLOW


def test_there_is_a_filter_only_where_the_numbers_are_known() -> None:
    assert program(own_user=True, machine="riscv64") is None
    assert (program(own_user=True) is not None) == (platform.machine() in MACHINES)

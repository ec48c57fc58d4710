"""The filter under a small interpreter of classic BPF: no privilege, every rule."""

import errno
import platform
import struct

import pytest

from branchlab.sandbox import seccomp

X86_64 = 0xC000003E
ALLOW, KILL = 0x7FFF0000, 0x80000000


def verdict(number: int, *arguments: int, arch: int = X86_64) -> int:
    """What the kernel would do with this call."""
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(tuple(arguments) + (0,) * 6)[:6])
    code = [struct.unpack_from("=HBBI", seccomp._assemble(), at) for at in range(0, len(seccomp._assemble()), 8)]
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            held = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            at += if_true if held else if_false


def refused(code: int) -> int:
    return 0x00050000 | code


@pytest.mark.parametrize("name", seccomp.DENIED)
def test_denied_calls(name: str) -> None:
    assert verdict(seccomp.DENIED[name]) == refused(errno.EPERM)


@pytest.mark.parametrize("number", [0, 1, 9, 57, 59, 202, 231, 257, 319, 334, 439, 450])
def test_ordinary_calls(number: int) -> None:
    """read, write, mmap, fork, execve, futex, exit_group, openat, memfd_create (a GPU driver needs it), ..."""
    assert verdict(number) == ALLOW


def test_clone_makes_threads_but_no_namespace() -> None:
    assert verdict(seccomp.CLONE, 0x3D0F00) == ALLOW
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(seccomp.CLONE, flag | 17) == refused(errno.EPERM)
    assert verdict(seccomp.CLONE3) == refused(errno.ENOSYS)


def test_socket_families() -> None:
    for call in (seccomp.SOCKET, seccomp.SOCKETPAIR):
        assert [verdict(call, family) for family in (1, 2, 10, 16)] == [ALLOW] * 4
        for family in (0, 3, 17, 38, 40, 44):  # packet, alg, vsock, xdp among them
            assert verdict(call, family) == refused(errno.EAFNOSUPPORT)


def test_terminal_input_cannot_be_forged() -> None:
    assert verdict(seccomp.IOCTL, 0, 0x5412) == refused(errno.EPERM)
    assert verdict(seccomp.IOCTL, 0, 0x541C) == refused(errno.EPERM)
    assert verdict(seccomp.IOCTL, 0, 0x5413) == ALLOW
    # The kernel looks at the low half only, so the high half must not hide the request.
    assert verdict(seccomp.IOCTL, 0, 0x5412 | 1 << 40) == refused(errno.EPERM)


def test_other_architectures() -> None:
    assert verdict(0, arch=0x40000003) == KILL
    assert verdict(0x40000000 | 101) == refused(errno.ENOSYS)


def test_there_is_a_filter_only_where_the_numbers_are_known() -> None:
    assert (seccomp.program() is not None) == (platform.machine() == "x86_64")

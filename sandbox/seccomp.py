"""The system calls a run may not make, as a classic BPF program for `bwrap --seccomp`.

Everything is allowed but what is listed. The lists close what namespaces leave open: kernel surface that training never
needs (bpf, io_uring, userfaultfd, keyrings), new namespaces where `--disable-userns` is not to be had, and socket families
that a network namespace does not cover (AF_VSOCK reaches the hypervisor of a virtual machine).
"""

import errno
import platform
import struct

from .syscalls import MACHINES, Machine

NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_IOCTLS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put keys into a terminal's input
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
X32_BIT = 0x40000000

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
NUMBER_AT, ARCH_AT, ARG0_AT, ARG1_AT = 0, 4, 16, 24  # struct seccomp_data; low halves, little endian


def refuse(code: int) -> int:
    """The filter's return value that makes a call fail with that errno."""
    return 0x00050000 | code


def program(machine: str | None = None) -> bytes | None:
    """The filter of a machine, of this one when none is named; None where the call numbers are not known."""
    found = MACHINES.get(machine or platform.machine())
    return _assemble(found) if found else None


def _assemble(machine: Machine) -> bytes:
    code = [_step(LOAD, ARCH_AT), _step(EQUAL, machine.arch, 1, 0), _step(RETURN, KILL)]
    code += [_step(LOAD, NUMBER_AT)]
    if machine.x32:
        code += [_step(AT_LEAST, X32_BIT, 0, 1), _step(RETURN, refuse(errno.ENOSYS))]
    for number in machine.denied:
        code += [_step(EQUAL, number, 0, 1), _step(RETURN, refuse(errno.EPERM))]
    # glibc falls back to clone, whose flags can be read here; clone3 keeps them in memory.
    code += [_step(EQUAL, machine.clone3, 0, 1), _step(RETURN, refuse(errno.ENOSYS))]
    code += _block(
        machine.clone, [_step(LOAD, ARG0_AT), _step(ANY_BIT, NEW_NAMESPACES, 0, 1), _step(RETURN, refuse(errno.EPERM))]
    )
    ioctl = [_step(LOAD, ARG1_AT)]
    for value in TERMINAL_IOCTLS:
        ioctl += [_step(EQUAL, value, 0, 1), _step(RETURN, refuse(errno.EPERM))]
    code += _block(machine.ioctl, ioctl)
    family = [_step(LOAD, ARG0_AT)]
    for value in FAMILIES:
        family += [_step(EQUAL, value, 0, 1), _step(RETURN, ALLOW)]
    family += [_step(RETURN, refuse(errno.EAFNOSUPPORT))]
    code += _block(machine.socket, family) + _block(machine.socketpair, family)
    return b"".join([*code, _step(RETURN, ALLOW)])


def _block(number: int, body: list[bytes]) -> list[bytes]:
    """The body for one call; past its end the call is allowed. Only reached with the call's number loaded."""
    body = [*body, _step(RETURN, ALLOW)]
    return [_step(EQUAL, number, 0, len(body)), *body]


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)

"""The system calls a run may not make, as a classic BPF program for `bwrap --seccomp`.

Everything is allowed but what is listed. The lists close what namespaces leave open: kernel surface that training never
needs (bpf, io_uring, userfaultfd, keyrings), new namespaces where `--disable-userns` is not to be had, and socket families
that a network namespace does not cover (AF_VSOCK reaches the hypervisor of a virtual machine).
"""

import errno
import platform

from . import file_modes
from .bpf import ALLOW, ANY_BIT, ARCH_AT, AT_LEAST, EQUAL, KILL, LOAD, NUMBER_AT, RETURN, argument, block, refuse, step
from .syscalls import DENIED, MACHINES, Machine

NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_IOCTLS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put keys into a terminal's input
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
X32_BIT = 0x40000000

PR_SET_DUMPABLE = 4


def program(machine: str | None = None, *, fork_server: bool = False) -> bytes | None:
    """The filter of a machine, of this one when none is named; None where the call numbers are not known. A warm start's
    fork server may also enter namespaces, make a user namespace and be dumped again after that."""
    found = MACHINES.get(machine or platform.machine())
    return _assemble(found, fork_server=fork_server) if found else None


def _assemble(machine: Machine, *, fork_server: bool) -> bytes:
    code = [step(LOAD, ARCH_AT), step(EQUAL, machine.arch, 1, 0), step(RETURN, KILL)]
    code += [step(LOAD, NUMBER_AT)]
    if machine.x32:
        code += [step(AT_LEAST, X32_BIT, 0, 1), step(RETURN, refuse(errno.ENOSYS))]
    needed = {DENIED[name][machine.column] for name in ("setns", "unshare")} if fork_server else set()
    for number in (number for number in machine.denied if number not in needed):
        code += [step(EQUAL, number, 0, 1), step(RETURN, refuse(errno.EPERM))]
    # glibc falls back to clone, whose flags can be read here; clone3 keeps them in memory.
    code += [step(EQUAL, machine.clone3, 0, 1), step(RETURN, refuse(errno.ENOSYS))]
    code += block(machine.clone, [*argument(0), step(ANY_BIT, NEW_NAMESPACES, 0, 1), step(RETURN, refuse(errno.EPERM))])
    ioctl = argument(1)
    for value in TERMINAL_IOCTLS:
        ioctl += [step(EQUAL, value, 0, 1), step(RETURN, refuse(errno.EPERM))]
    code += block(machine.ioctl, ioctl)
    family = argument(0)
    for value in FAMILIES:
        family += [step(EQUAL, value, 0, 1), step(RETURN, ALLOW)]
    family += [step(RETURN, refuse(errno.EAFNOSUPPORT))]
    code += block(machine.socket, family) + block(machine.socketpair, family)
    # A process that cannot be dumped hides its descriptors, and the memory behind them, from the watchdog.
    hides = [*argument(0), step(EQUAL, PR_SET_DUMPABLE, 0, 1), step(RETURN, refuse(errno.EPERM))]
    code += ([] if fork_server else block(machine.prctl, hides)) + file_modes.steps(machine.column)
    return b"".join([*code, step(RETURN, ALLOW)])

"""The system calls a run may not make, as a classic BPF program for `bwrap --seccomp`.

Everything is allowed but what is listed. The lists close what namespaces leave open: kernel surface that training never
needs (bpf, io_uring, userfaultfd, keyrings), new namespaces where `--disable-userns` is not to be had, and socket families
that a network namespace does not cover (AF_VSOCK reaches the hypervisor of a virtual machine).
"""

import errno
import platform
import struct

# Numbers of x86-64: arch/x86/entry/syscalls/syscall_64.tbl of Linux.
DENIED = {
    "shmget": 29,  # its segments are memory that no watchdog sees
    "ptrace": 101, "syslog": 103, "modify_ldt": 154, "pivot_root": 155, "chroot": 161, "acct": 163,
    "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "iopl": 172,
    "ioperm": 173, "create_module": 174, "init_module": 175, "delete_module": 176, "get_kernel_syms": 177,
    "query_module": 178, "quotactl": 179, "vhangup": 153, "adjtimex": 159, "lookup_dcookie": 212,
    "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
    "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443,
    "memfd_secret": 447,
}  # fmt: skip
IOCTL, SOCKET, SOCKETPAIR, CLONE, CLONE3 = 16, 41, 53, 56, 435
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_IOCTLS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX put keys into a terminal's input
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
ARCH = 0xC000003E
X32_BIT = 0x40000000

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
NUMBER_AT, ARCH_AT, ARG0_AT, ARG1_AT = 0, 4, 16, 24  # struct seccomp_data; low halves, little endian


def refuse(code: int) -> int:
    """The filter's return value that makes a call fail with that errno."""
    return 0x00050000 | code


def program() -> bytes | None:
    """The filter, or None on a machine whose call numbers are not in this file."""
    return _assemble() if platform.machine() == "x86_64" else None


def _assemble() -> bytes:
    code = [_step(LOAD, ARCH_AT), _step(EQUAL, ARCH, 1, 0), _step(RETURN, KILL)]
    code += [_step(LOAD, NUMBER_AT), _step(AT_LEAST, X32_BIT, 0, 1), _step(RETURN, refuse(errno.ENOSYS))]
    for number in DENIED.values():
        code += [_step(EQUAL, number, 0, 1), _step(RETURN, refuse(errno.EPERM))]
    # glibc falls back to clone, whose flags can be read here; clone3 keeps them in memory.
    code += [_step(EQUAL, CLONE3, 0, 1), _step(RETURN, refuse(errno.ENOSYS))]
    code += _block(
        CLONE, [_step(LOAD, ARG0_AT), _step(ANY_BIT, NEW_NAMESPACES, 0, 1), _step(RETURN, refuse(errno.EPERM))]
    )
    ioctl = [_step(LOAD, ARG1_AT)]
    for value in TERMINAL_IOCTLS:
        ioctl += [_step(EQUAL, value, 0, 1), _step(RETURN, refuse(errno.EPERM))]
    code += _block(IOCTL, ioctl)
    family = [_step(LOAD, ARG0_AT)]
    for value in FAMILIES:
        family += [_step(EQUAL, value, 0, 1), _step(RETURN, ALLOW)]
    family += [_step(RETURN, refuse(errno.EAFNOSUPPORT))]
    code += _block(SOCKET, family) + _block(SOCKETPAIR, family)
    return b"".join([*code, _step(RETURN, ALLOW)])


def _block(number: int, body: list[bytes]) -> list[bytes]:
    """The body for one call; past its end the call is allowed. Only reached with the call's number loaded."""
    body = [*body, _step(RETURN, ALLOW)]
    return [_step(EQUAL, number, 0, len(body)), *body]


def _step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)

"""Landlock, the kernel's allow-list that a process puts on itself and on everything it starts, by ctypes.

Only the standard library: the launcher imports this before any command runs.

Source: include/uapi/linux/landlock.h and Documentation/userspace-api/landlock.rst of Linux.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from enum import IntFlag

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every machine."""
ASK_VERSION = 1
RULE_PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38


class Access(IntFlag):
    """What may be done below a folder, or to a file."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    """Move or link from one folder to another."""
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


class Net(IntFlag):
    BIND_TCP = 1 << 0
    CONNECT_TCP = 1 << 1


class Scope(IntFlag):
    """What reaches only processes under the same rules, or under rules made below them."""

    ABSTRACT_UNIX_SOCKET = 1 << 0
    SIGNAL = 1 << 1


OF_FILES = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
"""The rights a rule on something other than a folder may give."""
SINCE = {Access.REFER: 2, Access.TRUNCATE: 3, Access.IOCTL_DEV: 5}
"""Version of the interface (ABI) that brought a right; the others are as old as Landlock."""
NET_SINCE, SCOPE_SINCE = 4, 6


def accesses(abi: int) -> Access:
    """Every right on files that this version can withhold."""
    found = Access(0)
    for right in Access:
        if SINCE.get(right, 1) <= abi:
            found |= right
    return found


def nets(abi: int) -> Net:
    """Every right on the network that this version can withhold."""
    return Net.BIND_TCP | Net.CONNECT_TCP if abi >= NET_SINCE else Net(0)


def scopes(abi: int) -> Scope:
    """Every scope this version can close."""
    return Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL if abi >= SCOPE_SINCE else Scope(0)


def attributes(abi: int, access: Access, net: Net, scope: Scope) -> bytes:
    """`struct landlock_ruleset_attr`, as long as this version knows it."""
    words = (access & accesses(abi), net & nets(abi), scope & scopes(abi))
    known = 1 + (abi >= NET_SINCE) + (abi >= SCOPE_SINCE)
    return struct.pack(f"={known}Q", *words[:known])


def version() -> int:
    """The kernel's version of the interface (ABI). Raises OSError where Landlock is missing or switched off."""
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def ruleset(abi: int, access: Access, net: Net, scope: Scope) -> int:
    """Descriptor of new rules that withhold all of this, as far as the version can. Raises OSError."""
    data = attributes(abi, access, net, scope)
    return _call(CREATE_RULESET, data, ctypes.c_size_t(len(data)), ctypes.c_uint32(0))


def allow(rules: int, paths: Iterable[tuple[str, Access]]) -> None:
    """Gives back each path its rights, and everything below it. A path that is not there is left out. Raises OSError."""
    for path, access in paths:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                access &= OF_FILES
            data = struct.pack("=Qi", access, descriptor)
            _call(ADD_RULE, ctypes.c_int(rules), ctypes.c_int(RULE_PATH_BENEATH), data, ctypes.c_uint32(0))
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        finally:
            os.close(descriptor)


def enter(rules: int) -> None:
    """Puts this thread, and whatever it starts from now on, under the rules; there is no way back. Raises OSError."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _call(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"prctl {option}")


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"system call {number}")
    return result

"""The same system calls refused as by `seccomp.program`, in the JSON that container engines take.

By name: the engine's own library knows the numbers of the machine. It replaces the engine's default profile, which allows
new user namespaces (podman) or ptrace; what holds is the same list for every backend.
"""

import errno
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from . import file_modes, seccomp, syscalls

REFUSE, ALLOW = "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"
WORD = 0xFFFFFFFF


def profile() -> str:
    """The profile as JSON. Calls of another architecture (32 bit, x32) are never allowed by the engine's library."""
    rules = [
        _rule(sorted(syscalls.DENIED), errno.EPERM),
        # glibc falls back to clone, whose flags can be read; clone3 keeps them in memory.
        _rule(["clone3"], errno.ENOSYS),
        *(_rule(["clone"], errno.EPERM, _masked(0, bit, bit)) for bit in _bits(seccomp.NEW_NAMESPACES)),
        *(_rule(["ioctl"], errno.EPERM, _masked(1, WORD, value)) for value in seccomp.TERMINAL_IOCTLS),
        _rule(["prctl"], errno.EPERM, _masked(0, WORD, seccomp.PR_SET_DUMPABLE)),
        _rule(["openat2"], errno.ENOSYS),
        *_set_id_files(),
        *(_rule(["socket", "socketpair"], errno.EAFNOSUPPORT, match) for match in _other_families()),
    ]
    return json.dumps({"defaultAction": ALLOW, "syscalls": rules})


def _set_id_files() -> Iterator[dict[str, Any]]:
    """See `file_modes`."""
    for bit in _bits(file_modes.SET_ID):
        for name, (*_, mode) in file_modes.MODE_AT.items():
            yield _rule([name], errno.EPERM, _masked(mode, bit, bit))
        for (name, (*_, flags)), creates in product(file_modes.OPEN_AT.items(), _bits(file_modes.CREATES)):
            yield _rule([name], errno.EPERM, _masked(flags, creates, creates), _masked(flags + 1, bit, bit))


def _other_families() -> list[dict[str, Any]]:
    # One comparison a rule is all that the format has: each family below the highest allowed one, and all above it.
    last = max(seccomp.FAMILIES)
    others = [family for family in range(last) if family not in seccomp.FAMILIES]
    return [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in others] + [
        {"index": 0, "value": last, "op": "SCMP_CMP_GT"}
    ]


def _masked(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}


def _rule(names: list[str], code: int, *matches: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": REFUSE, "errnoRet": code, "args": list(matches)}


def _bits(value: int) -> list[int]:
    return [1 << place for place in range(value.bit_length()) if value >> place & 1]

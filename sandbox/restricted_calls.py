"""The system calls that only namespaces would make harmless, as a second filter beside that of `seccomp.py`.

Without namespaces a run shares the host's network, its System V and POSIX message queues, and perhaps its user with other
processes. Landlock looks at opening, making, moving and removing files, and at signals: changing a file's mode, owner,
times or attributes by path, or another process's limits and priority, it leaves open, so those are refused here when
the run's user is somebody else's too.

The kernel takes the strictest answer of all filters, so nothing that the first one refuses can come back.
"""

import errno
import platform
from collections.abc import Sequence

from .bpf import ALLOW, EQUAL, LOAD, NUMBER_AT, RETURN, argument, block, refuse, refused, step
from .syscalls import MACHINES

Numbers = dict[str, tuple[int | None, int | None]]
"""On x86-64 and on arm64; None where there is no such call."""

HOST_WIDE: Numbers = {
    # what processes of one host share, without a file
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # names of files in folders that cannot be opened
    "inotify_init": (253, None), "inotify_init1": (294, 26),
    # attributes of files that everyone may write
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
}  # fmt: skip
METADATA: Numbers = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "file_setattr": (469, 469),
}  # fmt: skip
"""Refused to a run that shares its user: what it may not write it could still make unreadable, or readable for all."""
OTHER_PROCESSES: Numbers = {"move_pages": (279, 239), "migrate_pages": (256, 238)}
PID_FIRST: Numbers = {
    "prlimit64": (302, 261), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}  # fmt: skip
"""Take a process as first argument: a run that shares its user may only name itself, as 0."""
PID_SECOND: Numbers = {"setpriority": (141, 140), "ioprio_set": (251, 30)}
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SELF_FIRST = {"setpriority": 0, "ioprio_set": 1}
"""The first argument that says the second one is a process."""


def program(*, own_user: bool, network: bool = False, machine: str | None = None) -> bytes | None:
    """The filter, or None on a machine whose call numbers are not in this file.

    `own_user` says that no other process on the host runs as the run's user. AF_UNIX sockets are open to such a run only:
    whatever listens on a path the user may write to would otherwise answer, a session bus or an engine among them.
    """
    found = MACHINES.get(machine or platform.machine())
    if found is None:
        return None
    column = found.column
    code = [step(LOAD, NUMBER_AT)]
    for names in (HOST_WIDE,) if own_user else (HOST_WIDE, METADATA, OTHER_PROCESSES):
        for numbers in names.values():
            code += refused(numbers[column], errno.EPERM)
    unix = (AF_UNIX,) if own_user else ()
    code += _families(found.socket, (*unix, AF_INET, AF_INET6, AF_NETLINK) if network else unix)
    code += _families(found.socketpair, (AF_UNIX,))
    if not own_user:
        code += _only_itself(column)
    return b"".join([*code, step(RETURN, ALLOW)])


def _families(number: int, allowed: Sequence[int]) -> list[bytes]:
    body = argument(0)
    for family in allowed:
        body += [step(EQUAL, family, 0, 1), step(RETURN, ALLOW)]
    return block(number, [*body, step(RETURN, refuse(errno.EAFNOSUPPORT))])


def _only_itself(column: int) -> list[bytes]:
    code = []
    for numbers in PID_FIRST.values():
        if (number := numbers[column]) is not None:
            code += block(number, [*argument(0), step(EQUAL, 0, 1, 0), step(RETURN, refuse(errno.EPERM))])
    for name, numbers in PID_SECOND.items():
        if (number := numbers[column]) is not None:
            check = [*argument(1), step(EQUAL, 0, 1, 0), step(RETURN, refuse(errno.EPERM))]
            kind = [*argument(0), step(EQUAL, SELF_FIRST[name], 1, 0), step(RETURN, refuse(errno.EPERM))]
            code += block(number, [*kind, *check])
    return code

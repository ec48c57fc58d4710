"""No run makes a file with a set-user-id or set-group-id bit: it would outlive the run, with the rights of the run's user."""

import errno

from .bpf import ANY_BIT, RETURN, argument, block, refuse, refused, step

MODE_AT: dict[str, tuple[int | None, int | None, int]] = {
    "creat": (85, None, 1), "mknod": (133, None, 1), "mknodat": (259, 33, 2), "chmod": (90, None, 1),
    "fchmod": (91, 52, 1), "fchmodat": (268, 53, 2), "fchmodat2": (452, 452, 2),
}  # fmt: skip
"""Numbers on x86-64 and arm64, and which argument is the mode."""
OPEN_AT: dict[str, tuple[int | None, int | None, int]] = {"open": (2, None, 1), "openat": (257, 56, 2)}
"""Which argument has the flags; the mode is the next one."""
OPENAT2 = (437, 437)
SET_ID = 0o6000
CREATES = 0x40 | 0x400000
"""O_CREAT and O_TMPFILE: without them the mode is an argument nobody set."""


def steps(column: int) -> list[bytes]:
    """The part of a filter, for x86-64 (0) or arm64 (1). Reached, and left, with the call's number loaded."""
    code = []
    check = [step(ANY_BIT, SET_ID, 0, 1), step(RETURN, refuse(errno.EPERM))]
    for *numbers, mode in MODE_AT.values():
        if (number := numbers[column]) is not None:
            code += block(number, [*argument(mode), *check])
    for *numbers, flags in OPEN_AT.values():
        if (number := numbers[column]) is not None:
            mode_part = [*argument(flags + 1), *check]
            code += block(number, [*argument(flags), step(ANY_BIT, CREATES, 0, len(mode_part)), *mode_part])
    # Its arguments are in memory, where no filter looks; every caller falls back to openat.
    return code + refused(OPENAT2[column], errno.ENOSYS)

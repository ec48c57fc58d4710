"""Classic BPF programs for seccomp filters, an instruction at a time.

Source: Documentation/userspace-api/seccomp_filter.rst of Linux, and its include/uapi/linux/{bpf_common,seccomp}.h.
"""

import struct

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
NUMBER_AT, ARCH_AT = 0, 4  # in struct seccomp_data, little endian


def step(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)


def argument(index: int) -> list[bytes]:
    """Loads the low half of an argument: the kernel looks at no more of any that is asked about here."""
    return [step(LOAD, 16 + 8 * index)]


def block(number: int, body: list[bytes]) -> list[bytes]:
    """The body for one call; past its end the call is allowed. Only reached with the call's number loaded."""
    body = [*body, step(RETURN, ALLOW)]
    return [step(EQUAL, number, 0, len(body)), *body]


def refuse(code: int) -> int:
    """The filter's return value that makes a call fail with that errno."""
    return 0x00050000 | code


def refused(number: int | None, code: int) -> list[bytes]:
    """One call refused; nothing where the machine has no such call."""
    return [] if number is None else [step(EQUAL, number, 0, 1), step(RETURN, refuse(code))]

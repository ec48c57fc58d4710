"""Things of which one run may hold one at a time, host-wide, whoever started it: user ids, CPUs, GPUs.

A lease is an abstract unix socket address: no file is left on disk, and the kernel gives it back when its holder ends,
however it ends. Addresses belong to a network namespace, so two containers on one host do not see each other's.
"""

import errno
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def lease(kind: str, wanted: Iterable[int | str], count: int = 1) -> Iterator[tuple[int | str, ...]]:
    """The first `count` of `wanted` that nobody holds; empty when fewer are free."""
    with ExitStack() as stack:
        held: list[int | str] = []
        for item in wanted:
            if len(held) == count:
                break
            if (holder := _take(f"{kind}-{item}")) is not None:
                stack.callback(holder.close)
                held.append(item)
        yield tuple(held) if len(held) == count else ()


def _take(name: str) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(f"\0branchlab-{name}")
    except OSError as error:
        holder.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return holder

"""What the host and a fork server say to each other about one run."""

import os
import select
import socket
import struct
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from ..targets.errors import ArtifactError
from .files import strict_json

ANSWER_SECONDS = 10.0
"""Within which a fork server makes a child, or says how it ended: generous, for a busy machine."""
CREDENTIALS = struct.Struct("3i")


class Broken(Exception):
    """The fork server, or what it was asked to do, failed; no fault of the run's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the fork server says of a child that ended."""

    code: int
    """128 + N for a signal, as bubblewrap has it."""
    cpu: float
    memory: float
    """CPU seconds of all it waited for; MB of its largest process."""


class Channel:
    """The run's output, and the socket on which its process, and later the fork server, speak to us."""

    def __init__(self, stack: ExitStack) -> None:
        self.output, their_output = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, self.output)
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(self._ours)
        # With each message the kernel says who sent it, by the number this process knows it by.
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._theirs = theirs.fileno(), their_output
        self._given = stack.enter_context(ExitStack())
        self._given.enter_context(theirs)
        self._given.callback(os.close, their_output)

    def give(self, control: socket.socket, namespaces: int, request: int) -> None:
        """Hands their ends to the fork server, for one child. Raises Broken when it is gone."""
        try:
            socket.send_fds(control, [b"r"], [namespaces, *self._theirs, request])
        except OSError as error:
            raise Broken(f"its fork server is gone ({error.strerror})") from None
        finally:
            self._given.close()

    def ready(self) -> int:
        """The child's process id, once it waits to begin. Raises Broken when it says anything else."""
        data, ancillary = self._message()
        if data != b"ready":
            raise Broken(_fault(data))
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                return int(CREDENTIALS.unpack(content)[0])
        raise Broken("its process did not say which one it is")

    def release(self) -> None:
        """Lets the run begin."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._ours.send(b"g")

    def answer(self) -> Answer:
        """Raises Broken when the fork server ended without one."""
        data, _ = self._message()
        found = said(data)
        status, cpu, memory = (found.get(name) for name in ("status", "cpu", "memory"))
        if not isinstance(status, int) or not isinstance(cpu, float) or not isinstance(memory, float):
            raise Broken(_fault(data))
        code = os.waitstatus_to_exitcode(status & 0xFFFF)
        return Answer(128 - code if code < 0 else code, max(cpu, 0.0), max(memory, 0.0))

    def _message(self) -> tuple[bytes, list[tuple[int, int, bytes]]]:
        wait(self._ours.fileno(), ANSWER_SECONDS)
        try:
            data, ancillary, _, _ = self._ours.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
        except ConnectionResetError:
            return b"", []
        return data, ancillary


def said(data: bytes) -> dict[str, object]:
    """What a fork server says, read as what anybody could have written: modules that it imported are not ours."""
    with suppress(ArtifactError):
        found = strict_json(data)
        if isinstance(found, dict):
            return found
    return {}


def _fault(data: bytes) -> str:
    fault = said(data).get("fault")
    if isinstance(fault, str) and fault:
        return fault[:300]
    return "its fork server gave no answer" if data else "its fork server ended"


def wait(descriptor: int, seconds: float) -> None:
    """Until the descriptor can be read. Raises Broken when it cannot in that time."""
    if not readable(seconds, descriptor):
        raise Broken("no answer in time")


def readable(seconds: float, *descriptors: int) -> bool:
    """Whether one of them can be read within that time."""
    poller = select.poll()
    for each in descriptors:
        poller.register(each, select.POLLIN)
    return bool(poller.poll(max(0.0, seconds) * 1000))

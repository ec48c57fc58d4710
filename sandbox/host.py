"""The host as the conformance suite sets it up: secrets to find, sockets to reach, and a look at whether any was reached."""

import os
import secrets
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

CANARY = "BRANCHLAB_CONFORMANCE_CANARY"
SECRET = "never-to-be-seen-inside"  # noqa: S105 (the suite's own)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


class Host:
    """Between `with` and its end: a secret in a file, an environment variable, an inheritable descriptor and shared
    memory, and in the environment of a process; servers on TCP, UDP, a unix path and an abstract name."""

    def __init__(self, private: Path) -> None:
        self._private = private
        self._name = f"branchlab-conformance-{secrets.token_hex(8)}"
        self._stack = ExitStack()
        self._streams: list[socket.socket] = []
        self.facts: tuple[str, ...] = ()
        """Arguments for a case: secret file, port, process id, unix path, abstract name, name in /dev/shm."""

    def __enter__(self) -> Self:
        key = self._private / "key"
        key.write_text(SECRET)
        descriptor = os.open(key, os.O_RDONLY)
        self._stack.callback(os.close, descriptor)
        os.set_inheritable(descriptor, True)
        os.environ[CANARY] = SECRET
        self._stack.callback(os.environ.pop, CANARY)
        (SHARED_MEMORY / self._name).write_text(SECRET)
        for name in (self._name, f"{self._name}-new"):
            self._stack.callback((SHARED_MEMORY / name).unlink, missing_ok=True)
        (SHARED_MEMORY / self._name).chmod(0o666)  # so that only a sandbox stands in the way
        self._sibling = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={CANARY: SECRET, "PATH": os.defpath})
        self._stack.callback(self._end_sibling)
        path = str(Path(os.path.relpath(self._private)) / "s")  # a socket's path is short: relative while it is bound
        port = self._listen(socket.AF_INET, ("127.0.0.1", 0))
        self._datagrams = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._datagrams.bind(("127.0.0.1", port))
        self._listen(socket.AF_UNIX, path)
        self._listen(socket.AF_UNIX, f"\0{self._name}")
        (self._private / "s").chmod(0o666)
        self.facts = (str(key), str(port), str(self._sibling.pid), str(self._private / "s"), self._name, self._name)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _end_sibling(self) -> None:
        self._sibling.kill()
        self._sibling.communicate()

    def _listen(self, family: int, address: "str | tuple[str, int]") -> int:
        server = self._stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        server.bind(address)
        server.listen()
        server.setblocking(False)
        self._streams.append(server)
        return int(server.getsockname()[1]) if family == socket.AF_INET else 0

    def touched(self) -> str:
        """What of it a run reached, in words; empty when nothing was."""
        if self._sibling.poll() is not None:
            return "a process of the host ended"
        self._datagrams.setblocking(False)
        with suppress(BlockingIOError):
            self._datagrams.recv(1)
            return "a datagram arrived"
        for server in self._streams:
            with suppress(BlockingIOError):
                server.accept()[0].close()
                return f"a connection to {server.getsockname()!r}"
        if (SHARED_MEMORY / self._name).read_text() != SECRET or (SHARED_MEMORY / f"{self._name}-new").exists():
            return "the shared memory in /dev/shm"
        return ""

"""Warm starts: fork servers that have imported a target's modules, kept between runs, one run at a time each.

A server is bubblewrap around `warm_server.py`, in a sandbox of its own that no run is in. For a run, bubblewrap makes new
namespaces and the same view as for a cold start, below the server's user namespace; a forked child of the server enters
them, and is held to everything a cold start is. docs/decisions/006-warm-starts.md says why that is safe.
"""

import logging
import os
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock, Thread

from ..targets.errors import SandboxError
from . import bwrap_run, command, gpu, privileges, processes, seccomp, view
from .bwrap_run import START_SECONDS, Launch, Plan, Process
from .lease import lease
from .limits import Watchdog
from .output import OutputRing
from .runner import Interpreter, RunRequest, RunResult
from .slot import UIDS
from .supervise import wait_gone
from .warm_channel import Broken, readable, said
from .warm_fit import form_of, unfit_request, unfit_tree
from .warm_run import Joined

PROGRAM = Path(__file__).with_name("warm_server.py")
INSIDE = "/warm_server.py"
BOOT = f"exec(compile(open({INSIDE!r}).read(), {INSIDE!r}, 'exec'), {{'__name__': 'branchlab_warm'}})"
NEEDED = frozenset({"--userns", "--pidns", "--cap-add"})
MOST_SERVERS = 4 * max(2, os.cpu_count() or 1)
"""Of one runner: one for each kind of step in each slot, and some room. Each keeps what it has imported in memory."""
OOM_SCORE = 500
"""Before anything of the host's when memory runs out, after the runs."""
MOST_FAILURES = 3
"""To start a server, before it is not tried again."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """What two runs must have in common to start from one server."""

    interpreter: Interpreter
    flags: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    preload: tuple[str, ...]
    drop: bool
    """Whether root is given up first."""

    def serves(self, other: "Key") -> bool:
        """Whether a server of this one will do for the other: it may have imported more."""
        return replace(self, preload=other.preload) == other and set(other.preload) <= set(self.preload)


def key_of(request: RunRequest, *, drop: bool) -> Key | None:
    """None when the request must start cold."""
    form = form_of(request.argv)
    if not request.preload or form is None or unfit_request(request):
        return None
    environment = gpu.environment(None) | command.environment(
        request, view.places(request), home=view.HOME, tmp=view.MEMORY_FOLDERS[1]
    )
    return Key(request.interpreter, form.flags, tuple(environment.items()), request.preload, drop)


class _Unsound(Broken):
    """No server like this one will ever do."""


class _Cancelled(Broken):
    """The run that asked for it is not to be."""


class Server:
    """One fork server. Its thread starts it, outlives it and ends it: the kernel would end it with its thread."""

    def __init__(self, key: Key, plan: Plan) -> None:
        """Raises Broken when it does not come to be; `plan` is that of the run that needs it."""
        self.key = key
        self.uid: int | None = None
        self.modules: frozenset[str] = frozenset()
        self._plan = plan
        # Here and not in the thread, whose private mounts may hide where this package lies.
        self._program = PROGRAM.read_bytes()
        self._stack = ExitStack()
        self._control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.enter_context(self._control)
        self._stack.enter_context(self._theirs)
        self._log = -1
        self._started, self._stop = Event(), Event()
        self._fault = ""
        self._pid = 0
        self._pidfd = -1
        self._thread = Thread(target=self._live, name="branchlab-warm", daemon=True)
        self._thread.start()
        try:
            self._wait_ready()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def joined(self) -> Iterator[Joined]:
        """What a run needs of it. Raises Broken when it is gone."""
        with ExitStack() as stack:
            try:
                user, process = (
                    os.open(f"/proc/{self._pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("user", "pid")
                )
            except OSError as error:
                raise Broken(f"its fork server is gone ({error.strerror})") from None
            for descriptor in (user, process):
                stack.callback(os.close, descriptor)
            yield Joined(self._control, user, process)

    def close(self) -> None:
        """Ends it; waits until all of it is gone."""
        self._stop.set()
        self._thread.join()
        self._stack.close()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not wait_gone(self._pidfd, 0)

    def _live(self) -> None:
        try:
            with ExitStack() as stack:
                if self.key.drop:
                    users = stack.enter_context(lease("uid", UIDS))
                    self.uid = int(users[0]) if users else None
                    if not users:
                        raise Broken("no free user for it")
                paths = self._paths()
                if os.geteuid() != 0:
                    self._serve(lambda path: str(paths.get(path, path)))
                else:
                    privileges.in_private_mounts(paths, self._serve, interrupt=self._stop.set)
        except (Broken, SandboxError, OSError) as error:
            self._fault = str(error)
        finally:
            self._started.set()

    def _paths(self) -> dict[Path, Path]:
        prefixes = [prefix for prefix in self.key.interpreter.prefixes if not prefix.is_relative_to("/usr")]
        return {path: view.real(path) for path in (*prefixes, self._plan.program.root)}

    def _serve(self, source: Callable[[Path], str]) -> None:
        inner: Process | None = None
        with ExitStack() as stack:
            outer, status = self._launch(source, stack)
            try:
                _, pid = bwrap_run.first_status(status)
                inner = bwrap_run.watch(pid, stack) if pid is not None else None
                if inner:
                    self._pid = inner.pid
                    with suppress(OSError):
                        Path(f"/proc/{inner.pid}/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")
                self._started.set()
                self._stop.wait()
            finally:
                bwrap_run.end(outer, inner)

    def _launch(self, source: Callable[[Path], str], stack: ExitStack) -> tuple[Process, int]:
        plan = replace(self._plan, slot=replace(self._plan.slot, uid=self.uid))
        status, status_end = os.pipe2(os.O_CLOEXEC)
        self._log, log_end = os.pipe2(os.O_CLOEXEC)
        for descriptor in (status, self._log):
            stack.callback(os.close, descriptor)
        with ExitStack() as ours:
            for descriptor in (status_end, log_end):
                ours.callback(os.close, descriptor)
            ours.enter_context(self._theirs)
            etc = {path: bwrap_run.memory_file(ours, text.encode()) for path, text in view.ETC.items()}
            filter_ = bwrap_run.memory_file(ours, seccomp.program(fork_server=True) or b"")
            program = bwrap_run.memory_file(ours, self._program)
            files = view.Descriptors(status_end, None, etc, filter_)
            words = view.server_arguments(plan.request, dict(self.key.environment), files, (program, INSIDE), source)
            control = self._theirs.fileno()
            python = [str(self.key.interpreter.executable), *self.key.flags, "-c", BOOT, str(control)]
            passed = [status_end, filter_, program, control, *etc.values()]
            # Not held to this request's limits: its children get those of their own runs.
            launch = Launch(words, [*python, *self.key.preload], passed, output=log_end, limited=False)
            return bwrap_run.launch(plan, source, launch, stack), status

    def _wait_ready(self) -> None:
        """Reads what it says once it has imported everything."""
        self._started.wait(START_SECONDS)
        if self._fault:
            raise Broken(self._fault)
        self._watch_import()
        self._control.setblocking(False)
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            raise _Cancelled("cancelled") from None
        except ConnectionResetError:
            data = b""
        self._control.setblocking(True)
        answer = said(data)
        fault, modules = answer.get("fault"), answer.get("modules")
        if not isinstance(fault, str) or not isinstance(modules, list):
            raise Broken(self._last_words() or "it ended while it imported")
        if fault:
            raise _Unsound(fault)
        self.modules = frozenset(map(str, modules))
        children = processes.tree(self._pid).pids
        if len(children) != 2:
            raise _Unsound("importing leaves processes behind")
        self._pid = children[1]
        self._pidfd = bwrap_run.pidfd_of(self._pid, self._stack)

    def _watch_import(self) -> None:
        """Until it has something to say, or the run that needs it must end. An import is held to that run's limits."""
        plan = self._plan
        watchdog = Watchdog(plan.request.limits, [], view.MEMORY_FOLDERS)
        deadline = plan.started + plan.request.limits.wall_seconds
        while not readable(min(watchdog.due, deadline) - time.monotonic(), self._control.fileno(), plan.cancel):
            now = time.monotonic()
            if now >= deadline:
                raise Broken("it imports for longer than the run may last")
            if now >= watchdog.due and (stop := watchdog.check(self._pid)):
                raise Broken(f"while it imports: {stop.reason}")

    def _last_words(self) -> str:
        ring = OutputRing(4096)
        os.set_blocking(self._log, False)
        with suppress(BlockingIOError):
            while data := os.read(self._log, 4096):
                ring.feed(data)
        lines = ring.texts()[0].strip().splitlines()
        return lines[-1][:300] if lines else ""


class Servers:
    """The fork servers of one runner, each used by one run at a time. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._free: list[Server] = []
        """The one used last comes last."""
        self._count = 0
        self._failures: dict[Key, int] = {}

    def run(self, key: Key, plan: Plan, go: Callable[[Server], tuple[RunResult, bool]]) -> RunResult | None:
        """What `go` made of it with a server that fits, and whether that can be used again; None when the run must start
        cold."""
        if self._failures.get(key, 0) >= MOST_FAILURES:
            return None
        try:
            server = self._take(key) or self._start(key, plan)
        except Broken as error:
            self._failed(key, error)
            return None
        sound = False
        try:
            if why := unfit_tree(plan.request, server.modules):
                log.info("a run with %s starts cold: %s", ", ".join(key.preload), why)
                sound = True
                return None
            result, sound = go(server)
            return result
        except Broken as error:
            self._failed(key, error)
            return None
        finally:
            self._give_back(server, sound=sound)

    def _failed(self, key: Key, error: Broken) -> None:
        if not isinstance(error, _Cancelled):
            self._failures[key] = MOST_FAILURES if isinstance(error, _Unsound) else self._failures.get(key, 0) + 1
        log.info("a run with %s starts cold: %s", ", ".join(key.preload), error)

    def close(self) -> None:
        """Ends those that no run uses."""
        with self._lock:
            ended, self._free = self._free, []
            self._count -= len(ended)
        for server in ended:
            server.close()

    def _take(self, key: Key) -> Server | None:
        dead: list[Server] = []
        found = None
        with self._lock:
            for server in [each for each in reversed(self._free) if each.key.serves(key)]:
                self._free.remove(server)
                if server.alive:
                    found = server
                    break
                dead.append(server)
            self._count -= len(dead)
        for server in dead:
            server.close()
        return found

    def _start(self, key: Key, plan: Plan) -> Server:
        with self._lock:
            idle = self._free.pop(0) if self._count >= MOST_SERVERS and self._free else None
            self._count += 0 if idle else 1
        if idle:
            idle.close()
        try:
            return Server(key, plan)
        except BaseException:
            with self._lock:
                self._count -= 1
            raise

    def _give_back(self, server: Server, *, sound: bool) -> None:
        with self._lock:
            if sound:
                self._free.append(server)
                return
            self._count -= 1
        server.close()


def servers_of(owner: object) -> Servers:
    """Servers that end with their owner, and with this process at the latest."""
    servers = Servers()
    weakref.finalize(owner, servers.close)
    return servers

"""Landlock, seccomp, limits and a supervisor, without any namespace: for containers where bubblewrap cannot start.

Weaker than bubblewrap, and only ever used by name. A run sees what Landlock allows (`restricted_view.py`), makes the system
calls that two filters leave (`seccomp.py`, `restricted_calls.py`) and ends with everything it started (`launcher.py`).

Two kinds of runs. As root, where the run's folders can be reached by an ordinary user, the run has a user of its own: then
the host's /dev/shm and unix sockets are open to it, as to any account, and worker processes can share memory (torch's
DataLoader). Else it shares its user with other processes, and gets neither: no `multiprocessing` locks or queues, no
sockets at all, no change of a file's mode, owner or times.

What it does not hold is in NOT_COVERED and docs/sandbox.md.
"""

import errno
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..targets.errors import SandboxError
from . import cgroups, command, disk, landlock, privileges, restricted_calls, restricted_run, results, seccomp, view
from .limits import room_to_start
from .processes import require_proc_children
from .restricted_run import Plan
from .restricted_view import reachable_by_anyone
from .runner import Limits, RunRequest, RunResult
from .slot import take
from .supervise import Cancel, adopt_orphans

ABI = 6
"""Version of Landlock that is needed (Linux 6.12): before it, nothing keeps a run's signals from other processes of its
user, the supervisor among them, or from sockets with an abstract name; and a run could not be ended as a whole."""
GIVES_UP = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7
"""CAP_CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID: what root needs to run something as another user, and to end it."""
ELSEWHERE = "use --sandbox bubblewrap on a host that allows user namespaces, or a container backend"

NOT_COVERED: Mapping[str, str] = {
    "own loopback works": "the network is the host's, so there is none at all: training over gloo or NCCL needs bubblewrap",
}
"""Cases of `conformance.py` that no run of this backend passes, and why; a case listed here must really fail."""
NOT_COVERED_WITH_OWN_USER: Mapping[str, str] = {
    "host sockets by name": "a unix socket that every account may write to is open to the run's account too",
    "host shared memory": "a file in /dev/shm that every account may read, or write, is open to the run's account too",
}
NOT_COVERED_WITH_SHARED_USER: Mapping[str, str] = {
    "memory in a folder": "it gets no folder in memory: the host's /dev/shm stays shut",
}
NOT_COVERED_AS_ROOT: Mapping[str, str] = {
    "namespaces and mounts": "it is root already, with none of root's rights: setuid(0) succeeds and changes nothing",
}
TABLES = (NOT_COVERED, NOT_COVERED_WITH_OWN_USER, NOT_COVERED_WITH_SHARED_USER, NOT_COVERED_AS_ROOT)
OWN_USER_HOLES = (
    "unix sockets and files in /dev/shm that every account may use stay open, the names of files and processes can be "
    "tried out, no loopback network"
)
SHARED_USER_HOLES = (
    "the names of files and processes can be tried out, no loopback network, no sockets, no /dev/shm (no worker processes "
    "that share memory), no change of file modes or times"
)


class Restricted:
    """Runs requests under Landlock and seccomp. Made once, used from any number of threads."""

    name = "restricted"

    def __init__(self, *, drop: bool = True) -> None:
        """Raises SandboxError, with the reason and the fix, when it cannot be had on this host.

        `drop` gives root up wherever a run allows it; ordinary users have nothing to give up.
        """
        require_proc_children()
        self.abi = _abi()
        self._filters = {own_user: _filters(own_user=own_user) for own_user in (True, False)}
        adopt_orphans()
        self._privileged = os.geteuid() == 0 and _holds(GIVES_UP)
        self._drop = drop and self._privileged
        self._cancel = Cancel()
        self._readable: dict[Path, bool] = {}
        self._groups = cgroups.find()
        parts = (self._groups.kind if self._groups else "", "watchdog", "rlimits", "seccomp", f"landlock {self.abi}")
        self.limits_kind = ", ".join(filter(None, parts))
        self._preflight()

    @property
    def not_covered(self) -> Mapping[str, str]:
        """Cases of `conformance.py` that do not hold here, and why, for runs of which an ordinary user can reach every
        folder."""
        if self._drop:
            return {**NOT_COVERED, **NOT_COVERED_WITH_OWN_USER}
        as_root = NOT_COVERED_AS_ROOT if os.geteuid() == 0 else {}
        return {**NOT_COVERED, **NOT_COVERED_WITH_SHARED_USER, **as_root}

    @property
    def summary(self) -> str:
        """How it runs here, and what it leaves open, in a line for `doctor`."""
        how, holes = ("gives up root first", OWN_USER_HOLES) if self._drop else ("as this user", SHARED_USER_HOLES)
        return f"{how}, {self.limits_kind}; no namespaces: {holes}"

    def run(self, request: RunRequest) -> RunResult:
        started = time.monotonic()
        command.check_names(request.mounts)
        if request.gpu is not None:
            raise SandboxError("a GPU cannot be shown by this backend", found=request.gpu, fix=ELSEWHERE)
        command.no_build(request, self.name)
        if stop := room_to_start(request.out):
            waited = time.monotonic() - started
            return results.refused(stop, waited, backend=self.name, limits_kind=self.limits_kind)
        # In the system's folder for temporary files and not beside `out`: sockets have short paths, and TMPDIR holds some.
        scratch = Path(tempfile.mkdtemp(prefix="branchlab-")).resolve()
        try:
            if request.work_writable:
                command.throwaway_copy(request.work, scratch / "work")
                request = replace(request, work=scratch / "work")
            return self._run(request, scratch, started)
        finally:
            with suppress(OSError):
                disk.remove(str(scratch))

    def cancel(self) -> None:
        self._cancel.all()

    def _run(self, request: RunRequest, scratch: Path, started: float) -> RunResult:
        own_user = self._drop and self._anyone_may_reach(request)
        with self._cancel.event() as cancel, take(request.limits, self._groups, drop=own_user) as slot:
            if self._privileged:
                for path in (request.out, scratch):
                    privileges.give(path, slot.uid or 0)
            return restricted_run.run(
                Plan(
                    request=request,
                    scratch=scratch,
                    started=started,
                    cancel=cancel,
                    slot=slot,
                    backend=f"{self.name}-as-root" if os.geteuid() == 0 and not own_user else self.name,
                    limits_kind=f"{self.limits_kind}, {'own' if own_user else 'shared'} user",
                    abi=self.abi,
                    seccomp=self._filters[own_user],
                )
            )

    def _anyone_may_reach(self, request: RunRequest) -> bool:
        """Whether an ordinary user could walk to what the run needs and read it. Mounts are remembered: they do not
        change."""
        for path in request.mounts.values():
            if path not in self._readable:
                self._readable[path] = privileges.readable_by_anyone(view.real(path))
            if not self._readable[path]:
                return False
        # Of an installation only the top: a walk over tens of thousands of files would tell little more.
        if not all(path.stat().st_mode & 0o005 == 0o005 for path in request.interpreter.prefixes):
            return False
        # A work tree to write to is a copy by now, in a folder that the run's user is given.
        work = () if request.work_writable else (request.work,)
        needed = (*request.interpreter.prefixes, *request.mounts.values(), request.out, *work)
        return all(map(reachable_by_anyone, needed)) and all(privileges.readable_by_anyone(view.real(p)) for p in work)

    def _preflight(self) -> None:
        with tempfile.TemporaryDirectory(prefix="branchlab-") as folder:
            for name in ("work", "out", "scratch"):
                Path(folder, name).mkdir()
            limits = Limits(wall_seconds=30, memory_mb=256, disk_mb=64)
            request = RunRequest(
                ("true",), command.system_interpreter(), Path(folder, "work"), Path(folder, "out"), limits
            )
            result = self._run(request, Path(folder, "scratch"), time.monotonic())
        if result.status != "ok":
            found = result.reason if result.status == "sandbox_failed" else result.log_head or result.reason
            raise SandboxError("the restricted sandbox does not start here", found=found, fix=ELSEWHERE)


def _holds(capabilities: int) -> bool:
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = int(text.partition("CapEff:")[2].split()[0], 16)
    return effective & capabilities == capabilities


def _filters(*, own_user: bool) -> tuple[bytes, ...]:
    first, second = seccomp.program(), restricted_calls.program(own_user=own_user)
    if first is None or second is None:
        raise SandboxError(
            "the restricted sandbox has no system call filter for this machine", found=os.uname().machine, fix=ELSEWHERE
        )
    return first, second


def _abi() -> int:
    """Version of Landlock here. Raises SandboxError when it is not enough: fewer rights are never taken silently."""
    try:
        found = landlock.version()
    except OSError as error:
        reasons = {
            errno.ENOSYS: ("this kernel was built without Landlock", "use Linux 6.12 or later"),
            errno.EOPNOTSUPP: ("Landlock is switched off here", "add landlock to lsm= on the kernel's command line"),
        }
        refused = ("the container's system call filter refuses it", "use an engine whose default filter knows Landlock")
        reason, fix = reasons.get(error.errno or 0, refused)
        raise SandboxError(
            "no Landlock for the restricted sandbox", found=reason, fix=f"{fix}; or {ELSEWHERE}"
        ) from None
    if found < ABI:
        raise SandboxError(
            "Landlock is too old for the restricted sandbox",
            wanted=f"version {ABI} of its interface (Linux 6.12), which confines signals and abstract sockets",
            found=f"version {found}",
            fix=f"use Linux 6.12 or later; or {ELSEWHERE}",
        )
    return found

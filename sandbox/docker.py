"""A run in a container of docker or podman, for hosts that have an engine and an image but no bubblewrap.

Covered: what bubblewrap covers, held by the engine's namespaces and control groups, with the same list of system calls.
Not covered: the engine itself (docker's daemon is root on the host), the image's own content, the kernel, a GPU driver.
The engine's socket is never shown to a run, and no image is ever pulled. docs/sandbox.md has the whole table.
"""

import itertools
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..targets.errors import SandboxError
from . import (
    command,
    docker_run,
    docker_view,
    engine,
    engine_faults,
    environments,
    leftovers,
    privileges,
    results,
    seccomp_profile,
    view,
)
from .docker_run import Plan
from .limits import room_to_start
from .processes import require_proc_children
from .runner import Interpreter, Limits, RunRequest, RunResult
from .slot import Slot, take
from .supervise import Cancel

PREFLIGHT = Limits(wall_seconds=60, memory_mb=256, disk_mb=64, processes=32)
# What is in force inside, and whether the output folder can be written.
CHECK = """
import json, os, sys
def first(*paths):
    for path in paths:
        try:
            return open(path).read().strip()
        except OSError:
            pass
    return ""
open(sys.argv[1] + "/written", "w").close()
print(json.dumps([
    first("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "Seccomp:\\t2" in first("/proc/self/status"),
    [path for path in ("/dev/shm", os.environ["TMPDIR"], os.environ["HOME"]) if not os.access(path, os.W_OK)],
]))
"""
SAME_SYSTEM = "use an image of this host's distribution, with the shared libraries that Python needs"
_numbers = itertools.count()


class ContainerRunner:
    """Runs requests in containers, each new and removed at its end. Made once, used from any number of threads.

    As root each run has an ordinary user of its own; what that user could not read is copied for it. As an ordinary user
    runs have that user's own number, which is no more than it is outside.
    """

    def __init__(self, kind: engine.Kind | None = None) -> None:
        """Raises SandboxError, with the reason and the fix, when no container can be started on this host."""
        require_proc_children()
        self._engine = engine.find(kind)
        self.name: str = self._engine.kind
        self._rootless = engine.rootless(self._engine)
        self._drop = os.geteuid() == 0 and not self._rootless
        self._cancel = Cancel()
        self._profile = seccomp_profile.profile()
        self._readable: dict[Path, bool] = {}
        self._works: set[Path] = set()
        self._noise: tuple[str, ...] = ()
        leftovers.guard(self._engine)
        leftovers.sweep(self._engine)
        self.limits_kind = "watchdog, rlimits"
        self.limits_kind = self._preflight()

    @property
    def version(self) -> str:
        """The engine's own words, and whether it runs as an ordinary user."""
        return f"{self._engine.version}{', rootless' if self._rootless else ''}, image {self._engine.image}"

    def run(self, request: RunRequest) -> RunResult:
        started = time.monotonic()
        command.check_names(request.mounts)
        command.no_build(request, self.name)
        if stop := room_to_start(request.out):
            waited = time.monotonic() - started
            return results.refused(stop, waited, backend=self.name, limits_kind=self.limits_kind)
        result = self._run(request, started)
        return self._blame_the_image(request, result, started) if request.argv[:1] == ("python",) else result

    def cancel(self) -> None:
        self._cancel.all()

    def _run(self, request: RunRequest, started: float) -> RunResult:
        with ExitStack() as stack:
            cancel = stack.enter_context(self._cancel.event())
            slot = stack.enter_context(take(request.limits, None, drop=self._drop))
            # Beside `out`, so that copies are on a disk that has room; but never inside what is to be copied.
            beside = None if request.out.is_relative_to(request.work) else request.out.parent
            made = stack.enter_context(tempfile.TemporaryDirectory(dir=beside, prefix=".container-"))
            folder = Path(made)
            request = self._reachable(request, folder, slot)
            box = self._box(folder / "files", slot)
            box.files.mkdir()
            docker_view.write_files(request, box, self._profile)
            result = docker_run.run(Plan(self._engine, request, box, slot, started, cancel, self.limits_kind))
            return replace(result, log_head=self._without_noise(result.log_head))

    def _box(self, files: Path, slot: Slot) -> docker_view.Box:
        own = leftovers.owner()
        user = slot.uid if slot.uid is not None else os.geteuid()
        group = slot.uid if slot.uid is not None else os.getegid()
        if self._rootless and self.name == "docker":
            user = group = 0  # inside a rootless docker that is this process's own user
        return docker_view.Box(
            name=f"branchlab-{own}-{secrets.token_hex(4)}-{next(_numbers)}",
            owner=own,
            host=leftovers.host(),
            user=user,
            group=group,
            rootless=self._rootless,
            files=files,
            cpus=slot.cpus,
        )

    def _reachable(self, request: RunRequest, folder: Path, slot: Slot) -> RunRequest:
        """The request with copies in place of what its user may not read, or may write into."""
        if slot.uid is not None:
            for prefix in request.interpreter.prefixes:
                if stat.S_IMODE(prefix.stat().st_mode) & 0o005 != 0o005:
                    raise SandboxError("an ordinary user cannot read the interpreter's folder", where=str(prefix),
                                       fix=f"chmod o+rx {prefix}")  # fmt: skip
        work, mounts = request.work, dict(request.mounts)
        if request.work_writable:
            work = folder / "work"
            command.throwaway_copy(request.work, work)
        elif slot.uid is not None and not privileges.readable_by_anyone(view.real(work)):
            work = _copy(work, folder / "work")
        for name, path in mounts.items():
            if slot.uid is not None and not self._anyone_may_read(path):
                mounts[name] = _copy(path, folder / f"mount-{name}")
        if slot.uid is not None:
            for made in (request.out, *(path for path in (work, *mounts.values()) if path.is_relative_to(folder))):
                privileges.give(made, slot.uid)
        return replace(request, work=work, mounts=mounts)

    def _anyone_may_read(self, path: Path) -> bool:
        """Remembered: mounts do not change."""
        if path not in self._readable:
            self._readable[path] = privileges.readable_by_anyone(view.real(path))
        return self._readable[path]

    def _preflight(self) -> str:
        """What holds the limits here, found by a container that looks at itself."""
        result = self._python(("-c", CHECK, "{out}"), environments.find())
        if result.status == "sandbox_failed":
            found, fix = engine_faults.explain(result.log_head or result.reason)
            raise SandboxError("no container can be started", found=found, where=self._engine.command[0], fix=fix)
        if result.status != "ok":
            raise self._not_this_image(result)
        self._works.add(environments.find().executable)
        *noise, answer = result.log_head.splitlines(keepends=True)
        self._noise = tuple(noise)
        memory, seccomp, closed = json.loads(answer)
        if closed:
            # Some runtimes give a tmpfs the mode that the image's own folder has.
            raise SandboxError("a run could not write to its folders in memory", found=", ".join(closed),
                               where=self._engine.image, fix="build the image with these folders at mode 1777")  # fmt: skip
        held = "engine cgroup" if memory == str(PREFLIGHT.memory_mb << 20) else ""
        return ", ".join(filter(None, (held, "watchdog, rlimits", "seccomp" if seccomp else "")))

    def _without_noise(self, log: str) -> str:
        """The log without the warnings that this engine begins each run with, as the preflight saw them."""
        for line in self._noise:
            log = log.removeprefix(line)
        return log

    def _python(self, words: tuple[str, ...], interpreter: Interpreter) -> RunResult:
        with tempfile.TemporaryDirectory() as folder:
            work, out = Path(folder, "work"), Path(folder, "out")
            work.mkdir()
            out.mkdir()
            request = RunRequest(("python", "-I", "-S", *words), interpreter, work, out, PREFLIGHT)
            return self._run(request, time.monotonic())

    def _blame_the_image(self, request: RunRequest, result: RunResult, started: float) -> RunResult:
        """The result, or the sandbox's failure when the interpreter does not even start in this image: asked only after a
        failure of one that has not been seen to work."""
        python = request.interpreter.executable
        if result.status == "failed" and python not in self._works:
            asked = self._python(("-c", ""), request.interpreter)
            if asked.status == "failed":
                return replace(result, status="sandbox_failed", reason=str(self._not_this_image(asked, python)),
                               return_code=None, kill_reason="sandbox", artifacts=(),
                               device_seconds=time.monotonic() - started)  # fmt: skip
        if result.status in ("ok", "failed"):
            self._works.add(python)
        return result

    def _not_this_image(self, result: RunResult, python: Path | None = None) -> SandboxError:
        said = result.log_head.strip().splitlines()[-1:] or [result.reason]
        return SandboxError("this Python does not work in the image", found=said[0][-300:],
                            where=f"{python or environments.find().executable} in {self._engine.image}",
                            fix=SAME_SYSTEM)  # fmt: skip


def _copy(path: Path, place: Path) -> Path:
    """A copy of plain files and folders. Links stay links: inside, they lead to what the run may see anyway."""

    def odd(directory: str, names: list[str]) -> list[str]:
        kinds = {name: os.lstat(os.path.join(directory, name)).st_mode for name in names}
        return [
            name for name, mode in kinds.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
        ]

    if path.is_dir():
        shutil.copytree(path, place, symlinks=True, ignore=odd)
    else:
        shutil.copy(path, place)
    return place

"""What root must do before a sandbox starts: seal the host's device nodes, and give itself up without opening the host's
private folders to the user it becomes.

An ordinary user cannot walk through a folder such as /root (mode 700), where interpreters and projects of a root account
often live. So the paths a run needs are bound, by root, into a mount namespace that only this run sees, and bubblewrap is
started there as the ordinary user. A mount namespace belongs to a thread: each such run has a thread of its own, which
outlives it, and nothing is left to unmount when both are gone.
"""

import ctypes
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import TypeVar

from ..targets.errors import SandboxError

T = TypeVar("T")
STAGE = "/tmp"  # noqa: S108 (a private tmpfs is mounted over it; it exists on every host)

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
"""The nodes that bubblewrap's --dev takes from the host."""


def in_private_mounts(
    paths: Mapping[Path, Path],
    work: Callable[[Callable[[Path], str]], T],
    interrupt: Callable[[], None],
    devices: Sequence[str] = (),
) -> T:
    """What `work(staged)` returns, called in a thread where `staged(path)` is a path any user can walk to, for each key
    of `paths` and everything below; its value is where it really is. An exception in the waiting thread, such as Ctrl-C,
    calls `interrupt`, which must make `work` end. Raises SandboxError when the mounts cannot be made, else what `work`
    raises. `devices` are nodes that the run is shown beside those of bubblewrap's --dev."""
    results: list[T] = []
    failures: list[BaseException] = []

    def thread() -> None:
        try:
            results.append(work(_stage(paths, devices)))
        except BaseException as error:  # noqa: BLE001 (handed over to the caller's thread, whatever it is)
            failures.append(error)

    worker = Thread(target=thread, name="branchlab-sandbox", daemon=True)
    worker.start()
    try:
        worker.join()
    except BaseException:
        interrupt()
        worker.join()
        raise
    if failures:
        raise failures[0]
    return results[0]


def _stage(paths: Mapping[Path, Path], devices: Sequence[str]) -> Callable[[Path], str]:
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
        if libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()):
            raise _fault(f"mount on {target}")

    if libc.unshare(CLONE_NEWNS):
        raise _fault("unshare")
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    for node in (*(f"/dev/{name}" for name in DEVICES), *filter(os.path.exists, devices)):
        # Read-only holds for the inode and not for the device: it can be written to, but root inside, its owner, cannot
        # change its mode, which would be the host's. bubblewrap keeps the flag, and has none of its own for this.
        mount(node, node, "", MS_BIND)
        mount("none", node, "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC)
    # Opened before the tmpfs hides what lies below STAGE.
    opened = [os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC) for path in paths.values()]
    try:
        mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
        for number, descriptor in enumerate(opened):
            place = f"{STAGE}/{number}"
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.mkdir(place, 0o755)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
            mount(f"/proc/self/fd/{descriptor}", place, "", MS_BIND | MS_REC)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    places = {path: f"{STAGE}/{number}" for number, path in enumerate(paths)}

    def staged(path: Path) -> str:
        # The path itself when it is not below a staged one: a system path that everyone can reach.
        for parent in (path, *path.parents):
            if parent in places:
                return os.path.normpath(os.path.join(places[parent], path.relative_to(parent)))
        return str(path)

    return staged


def _fault(what: str) -> SandboxError:
    return SandboxError(
        "cannot prepare mounts as root before a run", found=f"{what}: {os.strerror(ctypes.get_errno())}"
    )


def readable_by_anyone(path: Path, *, most: int = 50_000) -> bool:
    """Whether an ordinary user could read the path and everything below it, links left aside."""
    todo, seen = [str(path)], 0
    while todo:
        current = todo.pop()
        found = os.lstat(current)
        seen += 1
        if stat.S_ISDIR(found.st_mode):
            if found.st_mode & 0o005 != 0o005 or seen > most:
                return False
            todo += [entry.path for entry in os.scandir(current)]
        elif stat.S_ISREG(found.st_mode) and not found.st_mode & 0o004:
            return False
    return True


def give(folder: Path, uid: int) -> None:
    """Makes a folder of ours, and everything in it, the ordinary user's."""
    try:
        os.chown(folder, uid, uid, follow_symlinks=False)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(os.path.join(parent, name), uid, uid, follow_symlinks=False)
    except PermissionError as error:  # root without the right to do so, as in a container with few capabilities
        fix = "start branchlab as an ordinary user, or with CAP_CHOWN"
        raise SandboxError(
            "cannot hand a folder to another user", found=error.strerror or "", where=str(folder), fix=fix
        ) from None

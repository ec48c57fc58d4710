"""bubblewrap's arguments for one request: a file view built up from nothing, in the order that makes it hold.

Order matters. `/` and `/dev` are writable tmpfs of unlimited size until `--remount-ro`, so each is sealed once its mount
points exist. `/proc/sys` is bound over itself read-only because bubblewrap leaves it writable for real root, and a write
to `core_pattern` is root code on the host. Device nodes are not remounted read-only: bubblewrap
adds nodev to such a mount, and nothing could be read from /dev/urandom.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..targets.errors import SandboxError
from .runner import Interpreter, RunRequest

HOME = "/home/sandbox"
HOME_BYTES = 64 * 1024 * 1024
SERVER_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETFCAP")
MB = 1024 * 1024
MEMORY_FOLDERS = ("/dev/shm", "/tmp", HOME)  # noqa: S108 (paths inside the sandbox)
SYSTEM_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/ssl/certs", "/etc/nsswitch.conf",
                "/etc/fonts", "/etc/mime.types")  # fmt: skip
NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf")
SEALED_PROC = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi",
               "/proc/driver", "/proc/pressure")  # fmt: skip
RESERVED = frozenset({"bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt",
                      "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"})  # fmt: skip
ETC = {
    "/etc/passwd": "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "/etc/group": "sandbox:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
}


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Open descriptors that the arguments name; bubblewrap inherits them."""

    status: int
    block: int | None
    etc: Mapping[str, int]
    seccomp: int | None
    joined: tuple[int, int] | None = None
    """A fork server's user and process namespace, for a run that one of its children will enter."""


def places(request: RunRequest) -> dict[str, str]:
    """Where work, out and each mount are inside: `/work`, `/out`, `/NAME`.

    A name that is a system folder's, or the first folder of a path that is the same inside, gets `_` appended: one mount
    must never hide another.
    """
    fixed = [*request.interpreter.prefixes, *([request.build] if request.build else [])]
    taken = RESERVED | {path.parts[1] for path in fixed if len(path.parts) > 1}
    inside = {}
    for name in ("work", "out", *request.mounts):
        folder = name
        while folder in taken:
            folder += "_"
        taken = taken | {folder}
        inside[name] = "/" + folder
    return inside


def arguments(
    request: RunRequest,
    environment: Mapping[str, str],
    open_files: Descriptors,
    *,
    disable_userns: bool,
    devices: Sequence[str] = (),
    source: Callable[[Path], str],
) -> list[str]:
    """Arguments of bubblewrap without the command.

    `source` gives the path under which bubblewrap finds one of `sources`: its real path, or another one when it runs as
    a user who may not walk there.
    """
    inside = places(request)
    return [
        *(_joined(*open_files.joined) if open_files.joined else _own_user(disable_userns=disable_userns)),
        *_namespaces(open_files),
        *(() if request.build else ("--unshare-net",)),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        *_system(open_files.etc),
        *_proc_and_dev(request, devices),
        *_interpreter(request.interpreter, source),
        *_folders(request, inside, source),
        *(_build(request.build, source) if request.build else ()),
        *("--remount-ro", "/", "--chdir", inside["work"]),
        *(("--seccomp", str(open_files.seccomp)) if open_files.seccomp is not None else ()),
    ]


def server_arguments(
    request: RunRequest,
    environment: Mapping[str, str],
    open_files: Descriptors,
    program: tuple[int, str],
    source: Callable[[Path], str],
) -> list[str]:
    """Arguments of bubblewrap for a fork server that will serve requests like this one: what a run sees, but no folder of
    any run. `program` is a descriptor, and the path inside at which its content is shown.

    The server keeps what it takes to enter namespaces that it owns (SYS_ADMIN, SYS_CHROOT) and to make a user namespace
    from there in which it is not its own root (SETFCAP, since Linux 5.12).
    """
    return [
        *("--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL"),
        *(word for name in SERVER_CAPABILITIES for word in ("--cap-add", name)),
        *_namespaces(open_files),
        "--unshare-net",
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        *_system(open_files.etc),
        *_proc_and_dev(request, ()),
        *_interpreter(request.interpreter, source),
        *("--perms", "0444", "--file", str(program[0]), program[1]),
        *("--remount-ro", "/", "--chdir", "/"),
        *(("--seccomp", str(open_files.seccomp)) if open_files.seccomp is not None else ()),
    ]


def _own_user(*, disable_userns: bool) -> list[str]:
    disabled = ("--disable-userns",) if disable_userns else ()
    return ["--unshare-user", *disabled, "--uid", "1000", "--gid", "1000"]


def _joined(user: int, process: int) -> list[str]:
    # Number 0 of the server's namespace is the account that a run's 1000 is, and no more powerful on the host.
    return ["--userns", str(user), "--pidns", str(process), "--uid", "0", "--gid", "0", "--cap-drop", "ALL"]


def _namespaces(open_files: Descriptors) -> list[str]:
    return [
        *("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session", "--clearenv"),
        *("--json-status-fd", str(open_files.status)),
        *(("--block-fd", str(open_files.block)) if open_files.block is not None else ()),
    ]


def _system(etc: Mapping[str, int]) -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for link in SYSTEM_LINKS:
        if os.path.islink(link):
            words += ["--symlink", os.readlink(link), link]
        elif os.path.isdir(link):
            words += ["--ro-bind", link, link]
    for path in SYSTEM_FILES:
        if os.path.exists(path):
            words += ["--ro-bind-try", os.path.realpath(path), path]
    for path, descriptor in etc.items():
        words += ["--file", str(descriptor), path]
    return words


def _proc_and_dev(request: RunRequest, devices: Sequence[str]) -> list[str]:
    memory = request.limits.memory_mb * MB
    words = ["--proc", "/proc"]
    for path in SEALED_PROC:
        words += ["--ro-bind-try", path, path]
    words += ["--dev", "/dev", "--size", str(memory), "--tmpfs", "/dev/shm"]  # noqa: S108
    words += [*devices, "--remount-ro", "/dev"]
    words += ["--size", str(min(memory, request.limits.disk_mb * MB)), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
    words += ["--size", str(HOME_BYTES), "--perms", "0700", "--tmpfs", HOME]
    return words


def _interpreter(interpreter: Interpreter, source: Callable[[Path], str]) -> list[str]:
    words = []
    for prefix in sorted(interpreter.prefixes):
        if not prefix.is_relative_to("/usr"):
            words += ["--ro-bind", source(prefix), str(prefix)]
    for folder in interpreter.hide:
        words += ["--size", "4096", "--tmpfs", str(folder), "--remount-ro", str(folder)]
    return words


def _folders(request: RunRequest, inside: Mapping[str, str], source: Callable[[Path], str]) -> list[str]:
    words = ["--bind" if request.work_writable else "--ro-bind", source(request.work), inside["work"]]
    for name, path in request.mounts.items():
        words += ["--ro-bind", source(path), inside[name]]
    return [*words, "--bind", source(request.out), inside["out"]]


def _build(folder: Path, source: Callable[[Path], str]) -> list[str]:
    """The folder an environment is made in, and what a name server is found by."""
    words = ["--bind", source(folder), str(folder)]
    for path in NETWORK_FILES:
        words += ["--ro-bind-try", os.path.realpath(path), path]
    return words


def sources(request: RunRequest) -> dict[Path, Path]:
    """Every host path outside the system folders that the arguments name, and where it really is: only real paths are
    bound, so that what is shown is what was checked."""
    prefixes = [prefix for prefix in request.interpreter.prefixes if not prefix.is_relative_to("/usr")]
    written = [request.out, *([request.build] if request.build else [])]
    return {path: real(path) for path in (*prefixes, request.work, *request.mounts.values(), *written)}


def real(path: Path) -> Path:
    """The path without links, so that what is bound is what was checked. Raises SandboxError when it is missing."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise SandboxError("cannot show this to a run", found=str(error), where=str(path)) from None

"""The arguments of `docker run` and `podman run` for one request: the same view as bubblewrap's, over an image.

The system folders are the image's; the interpreter's own folders are bound at the paths they have on the host. What an
engine or an image would add by itself is switched off by name: the host's proxy settings, volumes, health checks, log
files, writable folders of podman's read-only mode, the host's /etc/hosts and name servers.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..targets.errors import SandboxError
from . import command, gpu, view
from .engine import Engine
from .limits import rlimits
from .runner import RunRequest

MB = 1024 * 1024
MARK = "BRANCHLAB_RUN"
"""Variable by which a container's processes are found from outside."""
OWNER, HOST = "branchlab.owner", "branchlab.host"
OWN_PROCESSES = 2
"""The engine's init and a launcher are counted too."""
PLAIN = re.compile(r"[\w./:,+=@%{}\[\]()~ -]*")
"""Values that every engine reads alike from a file; the others go by the command line, where nothing is read into them."""
# docker fills these from its own configuration into every container, credentials of a proxy included, unless they are set.
PROXIES = tuple(
    variant for name in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for variant in (f"{name}_PROXY", f"{name}_proxy".lower())
)


@dataclass(frozen=True, slots=True)
class Box:
    """What a container is beside its request."""

    name: str
    owner: str
    """Label: the process that started it, see `leftovers`."""
    host: str
    user: int
    group: int
    rootless: bool
    """The engine itself runs as an ordinary user."""
    files: Path
    """Folder of ours, with what `write_files` puts there."""
    cpus: frozenset[int] = frozenset()


def arguments(engine: Engine, request: RunRequest, box: Box) -> list[str]:
    """Words after the engine's command. Raises SandboxError for a path that cannot be shown."""
    inside = view.places(request)
    return [
        # Its warnings would stand in the run's log.
        *(("--log-level", "error") if engine.kind == "podman" else ()),
        "run",
        *_identity(engine, box),
        *_walls(engine, box),
        *_limits(request, box),
        *_memory_folders(engine, request),
        *_mounts(engine, request, inside, box.files),
        *_environment(engine, request, inside, box),
        *_gpu(engine, request.gpu),
        *engine.options,
        *("--workdir", inside["work"], "--entrypoint", "", engine.image),
        *command.argv(request, inside),
    ]


def write_files(request: RunRequest, box: Box, profile: str) -> None:
    """The files that the arguments name."""
    etc = dict(view.ETC)
    etc["/etc/passwd"] = (
        f"sandbox:x:{box.user}:{box.group}:sandbox:{view.HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
    )
    etc["/etc/group"] = f"sandbox:x:{box.group}:\nnogroup:x:65534:\n"
    etc["/etc/resolv.conf"] = ""
    for path, text in etc.items():
        place = box.files / Path(path).name
        place.write_text(text, encoding="utf-8")
        place.chmod(0o644)
    (box.files / "seccomp.json").write_text(profile, encoding="utf-8")
    plain, _ = _variables(request, view.places(request), box)
    (box.files / "environment").write_text("".join(f"{k}={v}\n" for k, v in plain.items()), encoding="utf-8")


def _identity(engine: Engine, box: Box) -> list[str]:
    words = [
        "--name",
        box.name,
        "--hostname",
        "sandbox",
        "--pull",
        "never",
        "--init",
        "--user",
        f"{box.user}:{box.group}",
    ]
    words += ["--label", f"{OWNER}={box.owner}", "--label", f"{HOST}={box.host}", "--no-healthcheck"]
    # Else all output is written to the host's disk as well, without a limit.
    words += ["--log-driver", "none"]
    if engine.kind == "podman":
        words += ["--env-host=false", "--http-proxy=false", "--image-volume", "ignore"]
        words += ["--userns", "keep-id"] if box.rootless else []
    return words


def _walls(engine: Engine, box: Box) -> list[str]:
    words = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--ipc", "private"]
    words += ["--security-opt", "no-new-privileges", "--security-opt", f"seccomp={box.files / 'seccomp.json'}"]
    # Otherwise podman's read-only mode brings writable /tmp, /run and /var/tmp without a size.
    return [*words, "--read-only-tmpfs=false"] if engine.kind == "podman" else words


def _limits(request: RunRequest, box: Box) -> list[str]:
    limits = request.limits
    memory = f"{limits.memory_mb}m"
    words = ["--memory", memory, "--memory-swap", memory, "--pids-limit", str(limits.processes + OWN_PROCESSES)]
    words += ["--oom-score-adj", "1000"]
    # Few hosts give an ordinary user's engine the CPU controllers, and without them no container starts.
    words += [] if box.rootless else ["--cpus", str(min(limits.threads, os.cpu_count() or 1))]
    if box.cpus and not box.rootless:
        words += ["--cpuset-cpus", ",".join(map(str, sorted(box.cpus)))]
    for name, value in rlimits(limits).items():
        # RLIMIT_NPROC counts a whole account, and not the container: --pids-limit counts that.
        if name != "nproc":
            words += ["--ulimit", f"{name}={value}:{value}"]
    return words


def _memory_folders(engine: Engine, request: RunRequest) -> list[str]:
    memory = request.limits.memory_mb * MB
    sizes = {
        view.MEMORY_FOLDERS[1]: f"size={min(memory, request.limits.disk_mb * MB)},mode=1777",
        view.HOME: f"size={view.HOME_BYTES},mode=1777",
    }
    words = ["--shm-size", str(memory)]
    for folder, options in sizes.items():
        words += ["--tmpfs", f"{folder}:rw,exec,nosuid,nodev,{options}{_bare(engine)}"]
    for hidden in request.interpreter.hide:
        words += ["--tmpfs", f"{hidden}:ro,nosuid,nodev,size=4k,mode=0555{_bare(engine)}"]
    return words


def _bare(engine: Engine) -> str:
    """podman copies what the image has there into a new tmpfs, unless told otherwise."""
    return ",notmpcopyup" if engine.kind == "podman" else ""


def _mounts(engine: Engine, request: RunRequest, inside: Mapping[str, str], files: Path) -> list[str]:
    real = view.sources(request)
    shown = {str(path): path for path in request.interpreter.prefixes if path in real}
    shown |= {inside["work"]: request.work} | {inside[name]: path for name, path in request.mounts.items()}
    below = mount_points()
    words = []
    for place, path in shown.items():
        writable = path == request.work and request.work_writable
        _check_mount(real[path], below)
        words += ["--mount", _mount(real[path], place, "" if writable else ",readonly")]
    words += ["--mount", _mount(real[request.out], inside["out"], "")]
    for name in ("passwd", "group", "hosts", "resolv.conf"):
        words += ["--mount", _mount(files / name, f"/etc/{name}", ",readonly")]
    return words


def _mount(source: Path, place: str, options: str) -> str:
    # The value is a line of CSV to the engines, each with its own idea of quotes.
    if bad := re.search(r"[,\"\\\n\r]", f"{source}{place}"):
        raise SandboxError("cannot show a folder to a container", found=f"{bad[0]!r} in its path", where=str(source),
                           fix="use a path without commas, quotes and backslashes")  # fmt: skip
    return f"type=bind,src={source},dst={place}{options}"


def _check_mount(source: Path, below: Sequence[Path]) -> None:
    """Engines differ in whether a mount below a read-only one is read-only too; so none is shown."""
    for point in below:
        if point != source and point.is_relative_to(source):
            raise SandboxError("a folder shown to a container holds another mount", found=str(point), where=str(source),
                               fix="name that folder itself, or use bubblewrap")  # fmt: skip


def mount_points(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Path]:
    """Every place on this host where something is mounted."""
    lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    escaped = re.compile(r"\\([0-7]{3})")
    return [Path(escaped.sub(lambda match: chr(int(match[1], 8)), line.split(" ")[4])) for line in lines]


def _variables(request: RunRequest, inside: Mapping[str, str], box: Box) -> tuple[dict[str, str], dict[str, str]]:
    """What the run finds in its environment: what can stand in a file, and the rest."""
    found = gpu.environment(request.gpu) | command.environment(
        request, inside, home=view.HOME, tmp=view.MEMORY_FOLDERS[1]
    )
    found[MARK] = box.name
    plain = {name: value for name, value in found.items() if PLAIN.fullmatch(value) and value == value.strip()}
    return plain, {name: value for name, value in found.items() if name not in plain}


def _environment(engine: Engine, request: RunRequest, inside: Mapping[str, str], box: Box) -> list[str]:
    plain, rest = _variables(request, inside, box)
    words = ["--env-file", str(box.files / "environment")]
    if engine.kind == "docker":
        rest = dict.fromkeys((name for name in PROXIES if name not in plain), "") | rest
    for name, value in rest.items():
        words += ["--env", f"{name}={value}"]
    return words


def _gpu(engine: Engine, uuid: str | None) -> list[str]:
    """Not run on a GPU yet: only the arguments are tested."""
    if uuid is None:
        return []
    return ["--gpus", f"device={uuid}"] if engine.kind == "docker" else ["--device", f"nvidia.com/gpu={uuid}"]

"""One command on one checkout: what is asked, what came of it, and the Protocol every backend follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from .gpu import Gpu

if TYPE_CHECKING:
    from .limits import Stop

Status = Literal["ok", "failed", "timeout", "out_of_memory", "killed", "sandbox_failed"]
KillReason = Literal[
    "timeout", "memory", "gpu_memory", "processes", "disk", "files", "host_memory", "host_disk", "cancelled", "sandbox"
]
"""Which limit ended a run from outside. `host_*` and `sandbox` are no fault of the command: their status is
`sandbox_failed`."""
ANY_GPU = "any"
"""As `RunRequest.gpu`: whichever GPU has the most free memory and no other run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. A backend that cannot hold one says so in `RunResult.limits_kind`."""

    wall_seconds: float
    memory_mb: int = 4096
    disk_mb: int = 1024
    processes: int = 256
    threads: int = 1
    log_kb: int = 256
    """Bytes kept of the output: half of it from the head, half from the tail."""
    files: int = 20_000
    """Entries a run may leave in its folders: more would make hashing and copying them a cost of its own."""
    gpu_memory_mb: int | None = None
    """Memory of the GPU; None is all it has. Only a run that goes through `gpu_runner.OnGpus` is held to it."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python and the folders it needs to see. Made by `environments.find`."""

    executable: Path
    prefixes: tuple[Path, ...]
    """Folders shown read-only: the virtual environment, the base installation."""
    hide: tuple[Path, ...] = ()
    """Folders below them that are shown empty."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`argv` may use {work}, {out} and any name of `mounts`; the backend puts its own paths in.

    Inside, the folder `work` is the current directory (read-only unless `work_writable`), every mount is read-only
    and `out` is the only folder whose content survives.
    """

    argv: tuple[str, ...]
    interpreter: Interpreter
    work: Path
    out: Path
    limits: Limits
    mounts: Mapping[str, Path] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    work_writable: bool = False
    gpu: str | None = None
    """UUID of the one GPU to show, or None. ANY_GPU is for `gpu_runner.OnGpus`, which leases one and fills in the rest."""
    gpu_view: Gpu | None = field(default=None, repr=False)
    """What to show of that GPU, for a backend that binds device nodes itself."""
    gpu_watch: "Callable[[tuple[int, ...]], Stop | None] | None" = field(default=None, compare=False, repr=False)
    """Called by the watchdog with the run's process ids; why the run must end for what it does on the GPU, or None."""
    preload: tuple[str, ...] = ()
    """Modules, of the environment and never of `work`, that a backend may import once for many runs like this one: `module`,
    or `module:name,name` for `from module import name, name`. One with `?` before it need not be there."""
    build: Path | None = None
    """Folder of a virtual environment to make, None in every run of a candidate. It is writable, and inside it keeps
    the path it has on the host, since such an environment cannot be moved. With it the run has the host's network; a
    backend that cannot give both must refuse."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A regular file found in `out` after the run, path relative to it."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What a run, or several steps of one, did on the GPU it held, and who else was there. MB of GPU memory."""

    devices: tuple[str, ...]
    """UUIDs; more than one when the steps of a run held different ones."""
    peak_memory_mb: float
    """Of the run's own processes; where the driver does not tell it by process, what the device's own figure grew by."""
    others_at_start: int
    """Processes of others on the device before the first process of the run."""
    others_at_start_mb: float
    others_at_end: int
    others_at_end_mb: float
    waited_seconds: float = 0.0
    """Wall seconds the run waited for a GPU before its slot began: charged to nobody."""

    def joined(self, other: "GpuUse | None") -> "GpuUse":
        """Of two steps together: the largest of each figure, all the waiting."""
        if other is None:
            return self
        return GpuUse(
            tuple(dict.fromkeys((*self.devices, *other.devices))),
            max(self.peak_memory_mb, other.peak_memory_mb),
            max(self.others_at_start, other.others_at_start),
            max(self.others_at_start_mb, other.others_at_start_mb),
            max(self.others_at_end, other.others_at_end),
            max(self.others_at_end_mb, other.others_at_end_mb),
            self.waited_seconds + other.waited_seconds,
        )


@dataclass(frozen=True, slots=True)
class RunResult:
    status: Status
    reason: str
    """One line for a person; empty when ok. Control characters are already stripped."""
    return_code: int | None
    device_seconds: float
    """Wall seconds one device slot was held, the sandbox's own start included: what the ledger charges."""
    cpu_seconds: float
    """CPU seconds of the whole process tree, where the backend can tell; steadier than wall time on a busy machine."""
    peak_memory_mb: float
    log_head: str
    log_tail: str
    """Both already decoded with replacement and stripped of control characters. `log_tail` is empty when all of the
    output fitted into `log_head`."""
    truncated: bool
    artifacts: tuple[Artifact, ...]
    backend: str
    limits_kind: str
    kill_reason: KillReason | None = None
    """None when the run ended by itself, well or not."""
    gpu: GpuUse | None = None
    """None when it held no GPU."""


class Runner(Protocol):
    """Runs a request; never raises for what the command does. SandboxError is for the sandbox's own faults that no
    later run could survive (the backend is gone); a fault of one run is the status `sandbox_failed`."""

    name: str

    def run(self, request: RunRequest) -> RunResult: ...

    def cancel(self) -> None:
        """Kill every run in flight, from any thread; their results come back as `killed`."""

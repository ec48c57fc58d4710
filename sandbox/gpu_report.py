"""What `branchlab doctor` says of this host's GPUs. Not run on a GPU yet."""

from dataclasses import dataclass

from ..targets.errors import SandboxError
from . import gpu_runner
from .gpu import WHOLE_SYSFS, Gpu
from .gpu_inventory import Inventory
from .runner import Runner


@dataclass(frozen=True, slots=True)
class GpuLine:
    works: bool
    """Whether a run could be given it."""
    detail: str
    fix: str = ""


def describe(inventory: Inventory, runner: Runner | None) -> tuple[GpuLine, ...]:
    """A line for each GPU, or the one that says there is none; first why NVIDIA's cannot be watched, where that is so.

    Args:
        runner: the sandbox to ask CUDA in; None where none works, and then it is not asked.
    """
    lines = []
    if inventory.fault:
        reason, _, fix = inventory.fault.partition("; fix: ")
        lines.append(GpuLine(False, reason, fix))
    lines += [_line(gpu, inventory, runner) for gpu in inventory.gpus]
    return tuple(lines) or (GpuLine(False, "none: runs use CPU cores; a target with limits.gpu = true is refused"),)


def _line(gpu: Gpu, inventory: Inventory, runner: Runner | None) -> GpuLine:
    minor = "" if gpu.minor is None else f", minor {gpu.minor}"
    total = "" if gpu.total_mb is None else f", {gpu.total_mb:.0f} MB"
    named = f"{gpu.name} {gpu.uuid}, {gpu.node}{minor}{total}"
    if gpu.uuid not in inventory.meters:
        return GpuLine(False, f"{named}, cannot be watched: no run gets it")
    try:
        meter = inventory.meters[gpu.uuid]
        named += f", {meter.used_mb(gpu.uuid):.0f} MB in use by {_who(len(meter.processes(gpu.uuid)))}"
        works, cuda = _cuda(gpu, runner)
    except SandboxError as error:
        reason, _, fix = str(error).partition("; fix: ")
        return GpuLine(False, f"{named}, {reason}", fix)
    kind = {"wsl": "; WSL2 has one node for all GPUs", "amd": "; AMD"}.get(gpu.kind, "")
    return GpuLine(works, f"{named}, {cuda}{kind}; runs on a GPU were not tested with this version")


def _who(count: int) -> str:
    return "nobody" if count == 0 else f"{count} process{'es' if count > 1 else ''}"


def _cuda(gpu: Gpu, runner: Runner | None) -> tuple[bool, str]:
    if gpu.kind not in gpu_runner.CUDA:
        return True, "no start-up probe for this kind"
    if runner is None:
        return False, "cuInit not tried: no sandbox works here"
    view = gpu_runner.prepare(runner, gpu)
    return True, "cuInit works in the sandbox" + (", with all of /sys" if view.sysfs == WHOLE_SYSFS else "")

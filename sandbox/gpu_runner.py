"""One run per GPU at a time: a Runner around another one that leases a GPU for each run that asks for one.

Not run on a GPU yet. The lease is host-wide, whoever else runs branchlab here, and dies with its holder (`lease.py`). A
run that finds all GPUs taken waits, before its slot begins: waiting is no device second and no part of its time limit.
"""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..targets.errors import SandboxError, UsageError
from . import gpu_inventory, gpu_probe, results
from .gpu import WHOLE_SYSFS, Gpu
from .gpu_inventory import Inventory
from .gpu_watch import GpuWatch
from .lease import lease
from .limits import CANCELLED, Stop
from .runner import ANY_GPU, Runner, RunRequest, RunResult
from .supervise import Cancel

LOOK = 0.2
"""Seconds between two looks for a free GPU."""
CUDA = ("nvidia", "mig", "wsl")


class OnGpus:
    """Runs requests without a GPU as they are, and those with one on a GPU that no other run holds."""

    def __init__(self, runner: Runner, inventory: Inventory) -> None:
        """`inventory` as `prepare` returns it: known to work."""
        self.name = runner.name
        self._runner, self._inventory = runner, inventory
        self._cancel = Cancel()

    def run(self, request: RunRequest) -> RunResult:
        if request.gpu is None:
            return self._runner.run(request)
        wanted = self._wanted(request.gpu)
        asked = time.monotonic()
        with self._cancel.event() as cancel, self._held(wanted, cancel) as gpu:
            if gpu is None:
                return results.refused(CANCELLED, 0.0, backend=self.name, limits_kind="none")
            return self._on(gpu, request, time.monotonic() - asked, lambda: CANCELLED if _readable(cancel) else None)

    def cancel(self) -> None:
        self._cancel.all()
        self._runner.cancel()

    def _wanted(self, asked: str) -> tuple[Gpu, ...]:
        usable = self._inventory.usable
        found = tuple(gpu for gpu in usable if asked in (ANY_GPU, gpu.uuid))
        if not found:
            names = ", ".join(gpu.uuid for gpu in usable)
            raise SandboxError("no such GPU", wanted=asked, found=names or "none", fix="`branchlab doctor` lists them")
        return found

    @contextmanager
    def _held(self, wanted: tuple[Gpu, ...], cancel: int) -> Iterator[Gpu | None]:
        """A GPU that is nobody else's while it is held; None when the run was cancelled before there was one."""
        by_uuid = {gpu.uuid: gpu for gpu in wanted}
        while not _readable(cancel):
            # Asked anew each time: what others use changes.
            order = sorted(wanted, key=self._inventory.free_mb, reverse=True)
            with lease("gpu", [gpu.uuid for gpu in order]) as taken:
                if taken:
                    yield by_uuid[str(taken[0])]
                    return
            _readable(cancel, LOOK)
        yield None

    def _on(self, gpu: Gpu, request: RunRequest, waited: float, stopped: Callable[[], Stop | None]) -> RunResult:
        meter = self._inventory.meters[gpu.uuid]
        started = time.monotonic()
        try:
            watch = GpuWatch(gpu, meter, request.limits.gpu_memory_mb, stopped)
        except SandboxError as error:
            return _unwatched(error, time.monotonic() - started, self.name)
        env = gpu_probe.search_path(gpu) | dict(request.env)
        result = self._runner.run(replace(request, gpu=gpu.uuid, gpu_view=gpu, gpu_watch=watch.look, env=env))
        try:
            use = watch.end(waited)
        except SandboxError as error:
            # Who else was there is not known, so the run is not one to compare with.
            return _unwatched(error, time.monotonic() - started, result.backend)
        held = f"{result.limits_kind}, gpu memory" if watch.looked else result.limits_kind
        # To the moment its memory was given back: until then no other run can have the GPU.
        return replace(result, gpu=use, device_seconds=time.monotonic() - started, limits_kind=held)


def on_gpus(runner: Runner, jobs: int, inventory: Inventory | None = None) -> OnGpus:
    """The runner for a target that asks for a GPU, after everything that could be refused was.

    Raises:
        SandboxError: no GPU here that can be watched, or CUDA does not start in the sandbox on it.
        UsageError: more runs at a time than GPUs. A budget is wall time times `jobs`: what cannot run side by side could
            not be spent in it.
    """
    inventory = inventory or gpu_inventory.find()
    usable = inventory.usable
    if not usable:
        raise SandboxError(
            "the target asks for a GPU (limits.gpu)", wanted="an NVIDIA or AMD GPU that can be watched",
            found=inventory.fault or "none on this host",
            fix="run it on a host with one (`branchlab doctor` says what works), or set limits.gpu = false",
        )  # fmt: skip
    if jobs > len(usable):
        raise UsageError(
            "more runs at a time than GPUs", wanted=f"at most {len(usable)}", found=f"--jobs {jobs}",
            fix=f"--jobs {len(usable)}",
        )  # fmt: skip
    return OnGpus(runner, replace(inventory, gpus=tuple(prepare(runner, gpu) for gpu in usable)))


def prepare(runner: Runner, gpu: Gpu) -> Gpu:
    """The GPU as CUDA starts on it: with the narrow view of /sys, else with all of it.

    An AMD GPU is taken as it is: there is no such probe for it. Raises SandboxError.
    """
    if gpu.kind not in CUDA:
        return gpu
    for view in (gpu, replace(gpu, sysfs=WHOLE_SYSFS)):
        answer = gpu_probe.probe(runner, view)
        if answer.works:
            return view
    raise SandboxError(
        "CUDA does not start in the sandbox", found=answer.text, where=f"{gpu.name} {gpu.uuid}",
        fix="`branchlab doctor` says more; see docs/sandbox.md",
    )  # fmt: skip


def _unwatched(error: SandboxError, device_seconds: float, backend: str) -> RunResult:
    stop = Stop("sandbox_failed", f"the GPU cannot be watched: {error}", "sandbox")
    return results.refused(stop, device_seconds, backend=backend, limits_kind="none")


def _readable(descriptor: int, seconds: float = 0.0) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))

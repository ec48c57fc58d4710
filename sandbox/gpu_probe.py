"""Asks the CUDA driver, from inside a sandbox, whether it starts: `nvidia-smi` that works proves nothing. Not run on a
GPU yet."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import environments
from .gpu import Gpu
from .runner import Limits, Runner, RunRequest

PROGRAM = """
import ctypes, sys
try:
    driver = ctypes.CDLL(sys.argv[1])
except OSError as error:
    print("cuInit missing", error)
else:
    print("cuInit", driver.cuInit(0))
"""
LIBRARY = "libcuda.so.1"
SECONDS = 60.0

# cuda.h, CUresult; for 304 the known causes inside a sandbox.
EXPLAINED = {
    3: "the driver is shutting down or was never started",
    34: "the library is the stub that compilers link with, not the driver",
    100: "the driver sees no device: its node is not in the view, or may not be opened by this user",
    101: "not a device of this driver",
    304: "the driver was refused something by the system: it needs /dev/nvidia-uvm-tools (from 570 on), a readable /sys and "
    "/proc/driver/nvidia, writes to its own /proc/self/task/*/comm, and memfd_create",
    802: "the devices are not ready: on systems with NVSwitch the fabric manager must run",
    803: "the driver's library and its kernel module are of different versions",
    804: "this card needs another driver for this version of CUDA",
    999: "the driver failed without a reason; its kernel log has more (dmesg)",
}


@dataclass(frozen=True, slots=True)
class Answer:
    code: int | None
    """What cuInit returned; None when it was never called."""
    text: str
    """For a person, in one line."""

    @property
    def works(self) -> bool:
        return self.code == 0


def probe(runner: Runner, gpu: Gpu, *, before: str = "") -> Answer:
    """Whether CUDA starts in a run that is shown this GPU. `before` is Python that the process runs first, for tests."""
    with tempfile.TemporaryDirectory() as folder:
        work, out = Path(folder, "work"), Path(folder, "out")
        work.mkdir()
        out.mkdir()
        request = RunRequest(
            ("python", "-I", "-S", "-c", before + PROGRAM, LIBRARY),
            environments.find(),
            work,
            out,
            Limits(SECONDS, memory_mb=2048, disk_mb=64),
            env=search_path(gpu),
            gpu=gpu.uuid,
            gpu_view=gpu,
        )
        result = runner.run(request)
    last = (result.log_head.strip().splitlines() or [""])[-1]
    if found := re.fullmatch(r"cuInit (\d+)", last):
        code = int(found[1])
        return Answer(code, "cuInit works" if code == 0 else f"cuInit failed with {code}: {_explain(code)}")
    if last.startswith("cuInit missing "):
        return Answer(None, f"the CUDA driver's library cannot be loaded inside: {last[15:]}")
    return Answer(None, f"cuInit was not reached: {result.status}, {result.reason or last or 'no output'}")


def search_path(gpu: Gpu) -> dict[str, str]:
    """Environment by which libraries of the driver are found that the loader does not know."""
    return {"LD_LIBRARY_PATH": gpu.library_path} if gpu.library_path else {}


def _explain(code: int) -> str:
    return EXPLAINED.get(code, "see CUresult in cuda.h")

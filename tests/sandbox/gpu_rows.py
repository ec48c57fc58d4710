"""Everything the CUDA driver is known to need of a sandbox, and how each is left out: for a real GPU and for a stand-in.

Sources of the list: nolabs-ai/nono#652, #673 and #924, NVIDIA/OpenShell#1486 and #1696, truefoundry/trueforge#466.
"""

import ctypes
import platform
from dataclasses import dataclass, replace

from branchlab.sandbox.gpu import Gpu

# A system call refused by a filter of the process's own, on top of the sandbox's.
_REFUSE_CALL = """
import ctypes, struct
steps = ((0x20, 0, 0, 0), (0x15, 0, 1, {number}), (6, 0, 0, 0x00050001), (6, 0, 0, 0x7fff0000))
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
assert ctypes.CDLL(None).prctl(22, 2, ctypes.byref(Program(4, ctypes.addressof(code))), 0, 0) == 0
"""
_MEMFD_CREATE = {"x86_64": 319, "aarch64": 279}
# Landlock: writes only below these folders, and so none below /proc.
_NO_WRITE_IN_PROC = """
import ctypes, os, struct
call = ctypes.CDLL(None, use_errno=True).syscall
rules = call(444, struct.pack("=Q", 2), ctypes.c_size_t(8), 0)
assert rules >= 0
for folder in ("/dev", "/tmp", "/out"):
    allowed = struct.pack("=Qi", 2, os.open(folder, os.O_PATH))
    assert call(445, rules, 1, allowed, 0) == 0
assert call(446, rules, 0) == 0
"""


@dataclass(frozen=True)
class Row:
    view: Gpu
    before: str = ""
    """Python that the process runs before it starts CUDA."""
    since: int = 0
    """First major version of the driver that is known to need it."""


def rows(one: Gpu) -> dict[str, Row]:
    """By what is left out, all of it together first."""
    found = {"nothing": Row(one)}
    for node in one.others:
        rest = tuple(other for other in one.others if other != node)
        found[node] = Row(replace(one, others=rest), since=570 if node.endswith("tools") else 0)
    found["all of /sys"] = Row(replace(one, sysfs=()))
    # Only a kernel with Landlock can leave this out.
    if ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0:
        found["writes to its own comm"] = Row(one, _NO_WRITE_IN_PROC, since=570)
    found["memfd_create"] = Row(one, _REFUSE_CALL.replace("{number}", str(_MEMFD_CREATE.get(platform.machine(), -1))))
    return found


NAMES = (
    "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "all of /sys", "writes to its own comm", "memfd_create",
)  # fmt: skip

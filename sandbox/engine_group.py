"""The control group an engine has put a container into, read from outside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .cgroups import Group, groups_of


@dataclass(frozen=True, slots=True)
class EngineGroup:
    group: Group | None
    """None where the engine gave the container no group of its own: the watchdog holds the limits alone."""
    cpu: Path | None
    """File with the CPU time of everything that ever ran in the group."""

    def cpu_seconds(self) -> float:
        """CPU seconds of the whole container; 0 once the engine has removed the group."""
        try:
            text = self.cpu.read_text(encoding="ascii") if self.cpu else ""
        except OSError:
            return 0.0
        if text.strip().isdigit():
            return int(text) / 1e9
        return next((int(line.split()[1]) / 1e6 for line in text.splitlines() if line.startswith("usage_usec ")), 0.0)


def find(pid: int) -> EngineGroup:
    """The group of a container's first process."""
    own, theirs = groups_of(Path("/proc/self")), groups_of(Path(f"/proc/{pid}"))
    apart = {name: folder for name, folder in theirs.items() if own.get(name) != folder}
    kind: Literal["cgroup v2", "cgroup v1"] = "cgroup v1"
    if not {"memory", "pids"} <= apart.keys():
        kind, apart = "cgroup v2", dict.fromkeys(("memory", "pids", "cpuacct"), apart[""]) if "" in apart else {}
    if not apart:
        return EngineGroup(None, None)
    cpu = apart["cpuacct"] / ("cpu.stat" if kind == "cgroup v2" else "cpuacct.usage") if "cpuacct" in apart else None
    return EngineGroup(Group(kind, apart), cpu)

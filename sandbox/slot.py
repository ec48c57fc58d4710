"""What one run holds while it runs: an ordinary user of its own, CPUs of its own, a control group.

All of it is given back at the run's end, or by the kernel when this process ends.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from ..targets.errors import SandboxError
from .cgroups import Group, Hierarchy
from .lease import lease
from .limits import OOM_SCORE, Stop, Watchdog
from .runner import Limits

UIDS = range(60990, 61054)
"""Ordinary users without an account, in a range that distributions and systemd leave unused."""


@dataclass(frozen=True, slots=True)
class Slot:
    uid: int | None
    """User that root becomes for this run and no other one at the time; None when it stays who it is."""
    cpus: frozenset[int]
    """CPUs that no other run is put on; empty when there are not enough for that. Code may widen this: only a control
    group's share of CPU time is a limit."""
    group: Group | None

    def admit(self, pid: int) -> None:
        """Puts the first process of a run, before it begins, under everything the slot holds."""
        with suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(OOM_SCORE))
        with suppress(OSError):
            if self.cpus:
                os.sched_setaffinity(pid, self.cpus)
        if self.group:
            self.group.enter(pid)

    def check(self, watchdog: Watchdog, root: int) -> Stop | None:
        """Why the tree below `root` must end now, or None."""
        return (self.group.stop() if self.group else None) or watchdog.check(root)

    def end(self) -> None:
        """Before the run is ended, however it goes on to be: lets what is killed die at full speed."""
        if self.group:
            self.group.kill()

    def final_check(self, watchdog: Watchdog) -> Stop | None:
        """Whether a run that ended by itself was within its limits all the same."""
        return (self.group.stop() if self.group else None) or watchdog.final_check()


@contextmanager
def take(limits: Limits, groups: Hierarchy | None, *, drop: bool) -> Iterator[Slot]:
    """A slot for one run. `drop` asks for a user of its own; needs root. Raises SandboxError when there is none left, or
    no control group can be made."""
    with ExitStack() as stack:
        uid = None
        if drop:
            users = stack.enter_context(lease("uid", UIDS))
            if not users:
                raise SandboxError("no free user for a run", wanted=f"one of {UIDS.start} to {UIDS.stop - 1}")
            uid = int(users[0])
        cpus = sorted(os.sched_getaffinity(0))
        own = stack.enter_context(lease("cpu", cpus, limits.threads)) if limits.threads < len(cpus) else ()
        group = stack.enter_context(groups.group(limits)) if groups else None
        yield Slot(uid, frozenset(map(int, own)), group)

"""Users and CPUs are one run's at a time, between threads and between processes."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from branchlab.sandbox.lease import lease
from branchlab.sandbox.runner import Limits
from branchlab.sandbox.slot import UIDS, take
from branchlab.targets.errors import SandboxError

HOLDER = (
    "import sys\nfrom branchlab.sandbox.lease import lease\n"
    "with lease('test-slot', ['a', 'b']) as held:\n    print(held[0], flush=True)\n    sys.stdin.read()\n"
)


def test_a_lease_holds_between_processes_and_ends_with_its_holder() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "a\n"
    with lease("test-slot", ["a", "b"]) as held, lease("test-slot", ["a", "b"]) as none:
        assert (held, none) == (("b",), ())
    holder.kill()
    holder.communicate()
    with lease("test-slot", ["a", "b"], count=2) as both:
        assert both == ("a", "b")


def test_each_run_has_a_user_of_its_own_and_too_many_are_refused() -> None:
    limits = Limits(wall_seconds=1)
    with ExitStack() as stack:
        taken = [stack.enter_context(take(limits, None, drop=True)).uid for _ in range(3)]
        assert len(set(taken)) == 3
        assert set(taken) <= set(UIDS)
        for uid in UIDS:
            stack.enter_context(lease("uid", [uid]))
        with pytest.raises(SandboxError, match="no free user"), take(limits, None, drop=True):
            pass
    with take(limits, None, drop=False) as slot:
        assert slot.uid is None


def test_cpus_are_shared_out_while_there_are_enough_and_then_not_at_all() -> None:
    everyone = os.sched_getaffinity(0)
    with ExitStack() as stack:
        slots = [stack.enter_context(take(Limits(wall_seconds=1), None, drop=False)) for _ in range(len(everyone) + 1)]
    own = [slot.cpus for slot in slots if slot.cpus]
    assert sum(map(len, own)) == len(frozenset[int]().union(*own)), "no CPU is two runs'"
    assert slots[-1].cpus == frozenset()
    with take(Limits(wall_seconds=1, threads=len(everyone)), None, drop=False) as whole:
        assert whole.cpus == frozenset(), "a run that wants them all needs no place"

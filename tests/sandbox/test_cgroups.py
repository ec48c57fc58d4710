"""Control groups: real ones where this machine lets us make them, and the files of version 2 in a made-up folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from branchlab.sandbox import cgroups
from branchlab.sandbox.runner import Limits
from branchlab.targets.errors import SandboxError

LIMITS = Limits(wall_seconds=30, memory_mb=64, processes=12, threads=2)
CHILD = "import sys; sys.stdin.read(1)\n"


@pytest.fixture
def hierarchy() -> cgroups.Hierarchy:
    found = cgroups.find()
    if found is None:
        pytest.skip("no control group can be made here")
    return found


def inside(group: cgroups.Group, program: str) -> int:
    """Exit code of a program that was in the group from its first step."""
    child = subprocess.Popen([sys.executable, "-I", "-c", CHILD + program], stdin=subprocess.PIPE)
    group.enter(child.pid)
    child.communicate(b"x")
    return child.returncode


def test_the_kernel_ends_what_uses_too_much_memory(hierarchy: cgroups.Hierarchy) -> None:
    with hierarchy.group(LIMITS) as group:
        assert group.stop() is None
        assert inside(group, "x = bytearray(b'1') * (200 << 20)") == -9
        stop = group.stop()
        assert stop is not None
        assert (stop.status, stop.kind) == ("out_of_memory", "memory")


def test_a_run_whose_child_was_ended_counts_although_it_ends_well(hierarchy: cgroups.Hierarchy) -> None:
    program = "import os, sys\nif os.fork() == 0:\n    x = bytearray(b'1') * (200 << 20)\nelse:\n    os.wait()"
    with hierarchy.group(LIMITS) as group:
        code = inside(group, program)
        assert (code, group.stop() is not None) == ((0 if hierarchy.kind == "cgroup v1" else -9), True)


def test_processes_are_counted_and_a_refusal_is_known(hierarchy: cgroups.Hierarchy) -> None:
    program = "import os, sys, time\ntry:\n    for _ in range(30):\n        if os.fork() == 0: time.sleep(30)\nexcept BlockingIOError: sys.exit(7)"
    with hierarchy.group(LIMITS) as group:
        assert not group.refused_processes()
        assert inside(group, program) == 7
        assert group.refused_processes()
        for pid in map(int, (group.folders["pids"] / "cgroup.procs").read_text().split()):
            os.kill(pid, 9)


def test_groups_are_gone_afterwards_and_those_of_a_dead_driver_are_swept(hierarchy: cgroups.Hierarchy) -> None:
    with hierarchy.group(LIMITS) as group:
        folders = set(group.folders.values())
        assert all(folder.is_dir() for folder in folders)
    assert not any(folder.exists() for folder in folders)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [parent / f"branchlab-{gone.pid}-17-0" for parent in set(hierarchy.parents.values())]
    for folder in left:
        folder.mkdir()
    hierarchy.sweep()
    assert not any(folder.exists() for folder in left)


def test_a_name_that_is_taken_is_an_error_and_nothing_of_it_is_touched(hierarchy: cgroups.Hierarchy) -> None:
    with hierarchy.group(LIMITS) as group:
        with pytest.raises(SandboxError, match="File exists"):
            group.make()
        assert all(folder.is_dir() for folder in group.folders.values())
    reused = [parent / f"branchlab-{os.getpid()}-17-0" for parent in set(hierarchy.parents.values())]
    for folder in reused:  # a dead driver's, whose number is ours by now
        folder.mkdir()
    hierarchy.sweep()
    assert not any(folder.exists() for folder in reused)


def made_up(folder: Path, own: str, controllers: str = "cpu memory pids", enabled: str = "cpu memory pids") -> Path:
    """A /proc/self and a hierarchy of version 2 as the files of both say."""
    root = folder / "cgroup"
    place = root
    for part in ("", *Path(own).parts[1:]):
        place = place / part
        place.mkdir(exist_ok=True)
        (place / "cgroup.controllers").write_text(controllers)
        (place / "cgroup.subtree_control").write_text(enabled)
        (place / "cgroup.procs").write_text("1\n")
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(f"1:name=systemd:/x\n0::{own}\n")
    (proc / "mountinfo").write_text(
        f"22 1 8:1 / / rw - ext4 /dev/sda rw\n30 23 0:26 / {root} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
    )
    return proc


def test_version_two_is_found_and_groups_lie_beside_our_own(tmp_path: Path) -> None:
    found = cgroups.find(made_up(tmp_path, "/user.slice/app.slice/me.scope"))
    assert found is not None
    assert found.kind == "cgroup v2"
    assert set(found.parents.values()) == {tmp_path / "cgroup/user.slice/app.slice"}


def test_the_limits_of_version_two(tmp_path: Path) -> None:
    group = cgroups.Group("cgroup v2", dict.fromkeys(("cpu", "memory", "pids"), tmp_path / "g"))
    group.make()
    group.limit(LIMITS)
    written = {path.name: path.read_text() for path in (tmp_path / "g").iterdir()}
    assert written == {"memory.max": str(64 << 20), "pids.max": "14", "cpu.max": "200000 100000"}
    (tmp_path / "g/memory.events").write_text("low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\noom_group_kill 0\n")
    assert group.stop() is None
    (tmp_path / "g/memory.events").write_text("max 9\noom 1\noom_kill 3\n")
    assert group.stop() is not None
    group.unthrottle()
    assert (tmp_path / "g/cpu.max").read_text() == "max"


@pytest.mark.parametrize(("controllers", "enabled"), [("cpu", "cpu"), ("cpu pids", ""), ("", "")])
def test_without_the_memory_controller_there_is_no_group(tmp_path: Path, controllers: str, enabled: str) -> None:
    proc = made_up(tmp_path, "/a/b", controllers, enabled)
    assert cgroups.find(proc) is None
    assert cgroups.find(tmp_path / "nothing") is None

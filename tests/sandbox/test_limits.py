import os
from pathlib import Path

import pytest

from branchlab.sandbox import disk, limits, processes
from branchlab.sandbox.backends import choose, probe
from branchlab.sandbox.diagnose import explain
from branchlab.sandbox.fake import FakeRunner, ok
from branchlab.sandbox.limits import Watchdog
from branchlab.sandbox.output import OutputRing
from branchlab.sandbox.results import Ending, result
from branchlab.sandbox.runner import Limits
from branchlab.targets.errors import UsageError


def test_usage_counts_blocks_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(bytes(2 << 20))
    (tmp_path / "usr").symlink_to("/usr")
    found = disk.usage(str(tmp_path), most_files=100)
    assert 2.0 <= found.mb < 2.2
    assert (found.files, found.fault) == (4, "")


def test_usage_refuses_what_it_cannot_measure(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert "deep" in disk.usage(str(tmp_path), most_files=1000).fault


def test_usage_stops_early(tmp_path: Path) -> None:
    for i in range(50):
        (tmp_path / str(i)).touch()
    assert disk.usage(str(tmp_path), most_files=10).files == 11


def test_watchdog_says_which_limit_was_passed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(3 << 20))

    def check(**kwargs: int) -> str:
        stop = Watchdog(Limits(1, **kwargs), [tmp_path]).check(os.getpid())
        return stop.reason if stop else ""

    assert check() == ""
    assert "disk" in check(disk_mb=2)
    assert "memory" in check(memory_mb=1)
    assert "processes" in check(processes=-2)


def test_no_run_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.room_to_start(tmp_path) is None
    monkeypatch.setattr(limits, "DISK_FLOOR_MB", 1e12)
    stop = limits.room_to_start(tmp_path)
    assert stop
    assert stop.status == "sandbox_failed"
    assert stop.reason.startswith(f"{disk.free_mb(str(tmp_path)):.0f}"[:3])


def test_kernel_limits_are_never_above_our_own() -> None:
    import resource

    wanted = limits.rlimits(Limits(1, disk_mb=10, processes=7))
    assert wanted["core"] == 0
    assert wanted["fsize"] == 10 << 20
    assert wanted["nproc"] <= 7
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert wanted["nofile"] <= hard or hard == resource.RLIM_INFINITY


def test_the_tree_below_this_process_holds_it() -> None:
    tree = processes.tree(os.getpid())
    assert os.getpid() in tree.pids
    assert tree.tasks >= 1
    assert processes.memory(tree.pids).anonymous > 1
    assert processes.tree(2**22 + 1).pids == ()


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [(0, "ok", ""), (3, "failed", "exited with status 3"), (139, "failed", "ended by SIGSEGV"),
     (-9, "failed", "ended by SIGKILL"), (153, "killed", "wrote a file larger than the disk limit"),
     (255, "failed", "exited with status 255"), (None, "sandbox_failed", "the sandbox ended without saying how the program did")],
)  # fmt: skip
def test_exit_codes_become_words(tmp_path: Path, code: int | None, status: str, reason: str) -> None:
    found = result(Ending(None, code, 1.0), OutputRing(10), tmp_path, backend="b", limits_kind="k")
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.parametrize(
    ("text", "reason", "fix"),
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor", "apparmor_parser"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor", "/usr/bin/bwrap"),
        ("bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user"
         " namespaces.", "does not allow user namespaces", "--privileged"),
        ("bwrap: Creating new namespace failed: No space left on device", "limited", "max_user_namespaces"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "masks /proc", "unmask"),
        ("bwrap: Unexpected capabilities but not setuid, old file caps config?", "capabilities", "ambient"),
        ("noise\nbwrap: something new", "bwrap: something new", "docs/sandbox.md"),
        ("", "without a word", "--unsafe-no-sandbox"),
    ],
)  # fmt: skip
def test_known_failures_get_their_fix(text: str, reason: str, fix: str) -> None:
    found = explain(text, "/usr/bin/bwrap")
    assert reason in found[0]
    assert fix in found[1]
    assert "--unsafe-no-sandbox" in found[1]


def test_choice_is_by_name_and_never_unconfined_unasked() -> None:
    assert choose("unconfined").name == "unconfined"
    with pytest.raises(UsageError, match="auto, bubblewrap, docker, podman, restricted, unconfined"):
        choose("chroot")
    found = {entry.name: entry for entry in probe()}
    assert list(found) == ["bubblewrap", "podman", "docker", "restricted", "unconfined"]
    assert "only when asked for by name" in found["restricted"].reason or found["restricted"].fix
    if found["bubblewrap"].available:
        assert choose().name == "bubblewrap"
    else:
        assert found["bubblewrap"].fix
        assert os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") != "1"


def test_the_fake_answers_and_remembers() -> None:
    runner = FakeRunner(lambda request: ok())
    runner.cancel()
    assert (runner.requests, runner.cancelled) == ([], True)

"""Every backend that works here is put through the contract suite; those that isolate, through the attacks too."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from branchlab.sandbox import bwrap, command, environments
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.conformance import CONTRACT, ISOLATION, Case, run_case
from branchlab.sandbox.runner import Limits, Runner, RunRequest
from branchlab.sandbox.unconfined import Unconfined
from branchlab.targets.errors import SandboxError

ROOT = os.geteuid() == 0
BACKENDS: dict[str, Callable[[], Runner]] = {
    "unconfined": Unconfined,
    "bubblewrap": Bubblewrap,
    "bubblewrap-as-root": lambda: Bubblewrap(drop=False),
}
ISOLATING = ("bubblewrap", "bubblewrap-as-root") if ROOT else ("bubblewrap",)
EVERY = ("unconfined", *ISOLATING)
MADE: dict[str, Runner] = {}


def backend(name: str) -> Runner:
    """The backend, or a skip; a failure where the environment says that a sandbox must be there."""
    try:
        if name not in MADE:
            MADE[name] = BACKENDS[name]()
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))
    return MADE[name]


@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case.name)
@pytest.mark.parametrize("name", EVERY)
def test_contract(name: str, case: Case, tmp_path: Path) -> None:
    assert run_case(case, backend(name), tmp_path) == ""


@pytest.mark.parametrize("case", ISOLATION, ids=lambda case: case.name)
@pytest.mark.parametrize("name", ISOLATING)
def test_isolation(name: str, case: Case, tmp_path: Path) -> None:
    assert run_case(case, backend(name), tmp_path) == ""


READ_ONLY_ATTACKS = ("host files", "first process's environment", "host processes", "descriptors", "capabilities")


@pytest.mark.parametrize("case", [c for c in ISOLATION if c.name in READ_ONLY_ATTACKS], ids=lambda case: case.name)
def test_the_attacks_themselves_succeed_without_a_sandbox(case: Case, tmp_path: Path) -> None:
    """Else a case that can never fail would look like a wall."""
    if case.name == "capabilities" and not ROOT:
        pytest.skip("an ordinary user has none to begin with")
    if case.name in ("first process's environment", "descriptors"):
        pytest.skip("holds for a plain child as well: only the sandbox's own first process could give it away")
    assert run_case(case, Unconfined(), tmp_path) != ""


def sleeper(folder: Path, seconds: float = 300.0) -> RunRequest:
    work, out = folder / "work", folder / "out"
    work.mkdir(parents=True)
    out.mkdir()
    code = f"import time; print('up', flush=True); open(r'{{out}}/up', 'w').close(); time.sleep({seconds})"
    return RunRequest(("python", "-I", "-S", "-c", code), environments.find(), work, out, Limits(120, 256, 64, 64))


@pytest.mark.parametrize("name", EVERY)
def test_cancel_ends_every_run_in_flight_from_another_thread(name: str, tmp_path: Path) -> None:
    runner = backend(name)
    requests = [sleeper(tmp_path / str(i)) for i in range(3)]
    results = []
    threads = [threading.Thread(target=lambda r=request: results.append(runner.run(r))) for request in requests]
    for thread in threads:
        thread.start()
    while not all((request.out / "up").exists() for request in requests):
        threads[0].join(0.02)
        assert all(thread.is_alive() for thread in threads)
    runner.cancel()
    for thread in threads:
        thread.join(30)
    assert [(r.status, r.reason) for r in results] == [("killed", "cancelled")] * 3
    assert runner.run(sleeper(tmp_path / "later", 0.0)).status == "ok", "a later run must not be cancelled"


@pytest.mark.parametrize("name", EVERY)
def test_parallel_runs_keep_their_own_cpu_time(name: str, tmp_path: Path) -> None:
    runner = backend(name)
    results = {}

    def go(index: int) -> None:
        work, out = tmp_path / f"w{index}", tmp_path / f"o{index}"
        work.mkdir()
        out.mkdir()
        code = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): pass"
        argv = ("python", "-I", "-S", "-c", code, str(0.1 + index * 0.4))
        results[index] = runner.run(RunRequest(argv, environments.find(), work, out, Limits(120, 256, 64, 64)))

    threads = [threading.Thread(target=go, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[1].cpu_seconds >= 0.48
    assert 0.08 <= results[0].cpu_seconds < 0.45


@pytest.mark.parametrize("name", EVERY)
def test_a_missing_command_is_the_commands_fault(name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    request = RunRequest(
        ("no-such-command",), command.system_interpreter(), tmp_path, tmp_path / "out", Limits(20, 256, 64, 64)
    )
    result = backend(name).run(request)
    assert result.status == "failed"
    assert result.return_code not in (0, None)


@pytest.mark.parametrize("name", ISOLATING)
def test_hidden_folders_are_empty_inside(name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    interpreter = environments.find(None, ["yaml"])
    assert interpreter.hide
    code = "import os, sys; print([os.listdir(path) for path in sys.argv[1:]])"
    argv = ("python", "-I", "-c", code, *map(str, interpreter.hide))
    result = backend(name).run(RunRequest(argv, interpreter, tmp_path, tmp_path / "out", Limits(60, 256, 64, 64)))
    assert result.log_head.strip() == str([[] for _ in interpreter.hide])


@pytest.mark.skipif(not ROOT, reason="needs root to give up")
def test_root_is_kept_and_said_when_an_ordinary_user_could_not_read_the_work(tmp_path: Path) -> None:
    runner = backend("bubblewrap")
    request = sleeper(tmp_path, 0.0)
    assert runner.run(request).backend == "bubblewrap"
    (request.work / "private.txt").write_text("x")
    (request.work / "private.txt").chmod(0o600)
    result = runner.run(request)
    assert (result.status, result.backend) == ("ok", "bubblewrap-as-root")


@pytest.mark.skipif(not ROOT, reason="needs root to become another user")
def test_an_ordinary_user_can_run_the_sandbox(tmp_path: Path) -> None:
    """The whole backend in a process of an ordinary account, with the system's Python and any bubblewrap it can reach."""
    if not os.path.exists("/usr/bin/python3") or not os.access("/usr/bin/bwrap", os.X_OK):
        pytest.skip("needs a Python and a bwrap that an ordinary user can reach")
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True
    )
    if version.stdout.strip() != b"True":
        pytest.skip("the system's Python is too old")
    package = Path(__file__).resolve().parents[2]
    copy = tmp_path / "branchlab"
    copy.mkdir()
    (copy / "__init__.py").touch()
    for part in ("sandbox", "targets"):
        (copy / part).mkdir()
        for source in (package / part).glob("*.py"):
            (copy / part / source.name).write_bytes(source.read_bytes())
    code = (
        "import sys, tempfile, pathlib\n"
        "sys.path.insert(0, '.')\n"
        "from branchlab.sandbox.bubblewrap import Bubblewrap\n"
        "from branchlab.sandbox.conformance import ISOLATION, run_case\n"
        "runner = Bubblewrap()\n"
        "for case in ISOLATION:\n"
        "    with tempfile.TemporaryDirectory() as folder:\n"
        "        fault = run_case(case, runner, pathlib.Path(folder))\n"
        "    if fault: print(case.name, fault)\n"
        "print('done', runner.mode)\n"
    )
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        archive = Path(place, "a.tar")
        with tarfile.open(archive, "w") as tar:
            tar.add(copy, "branchlab")
        Path(place).chmod(0o755)
        with tarfile.open(archive) as tar:
            tar.extractall(place, filter="data")
        done = subprocess.run(
            ["/usr/bin/python3", "-B", "-c", code], cwd=place, user=60321, group=60321, extra_groups=[],
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("done Mode(drop=False, disable_userns=True)\n", "")


def test_the_sandbox_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    backend("bubblewrap")
    code = (
        "import sys, pathlib\n"
        "from branchlab.sandbox.bubblewrap import Bubblewrap\n"
        "from branchlab.sandbox.runner import *\n"
        "from branchlab.sandbox import environments\n"
        "work, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1], 'out')\n"
        "out.mkdir()\n"
        "inner = \"import time; print('branchlab-orphan'); open('{out}/up', 'w').close(); time.sleep(300)\"\n"
        "Bubblewrap().run(RunRequest(('python', '-I', '-S', '-c', inner), environments.find(), work, out, Limits(200)))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    while not (tmp_path / "out" / "up").exists():
        assert parent.poll() is None
    parent.kill()
    parent.wait()
    for _ in range(10_000):  # bounded by looks, not by time: each takes about a millisecond
        left = [p for p in os.listdir("/proc") if p.isdigit() and b"branchlab-orphan" in _command_line(p)]
        if not left:
            return
    assert left == []


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_both_programs_are_tried_where_both_are_there() -> None:
    for path, root in bwrap._candidates():
        assert Bubblewrap(bwrap._ask(path, root)).mode is not None

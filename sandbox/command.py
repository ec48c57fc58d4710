"""What every backend does to a request before it runs: names become paths, and the environment is an allow-list."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..targets.errors import SandboxError
from .limits import thread_environment
from .runner import Interpreter, RunRequest

SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def check_names(mounts: Mapping[str, Path]) -> None:
    """Raises SandboxError for a mount whose name cannot be a folder of its own."""
    for name in mounts:
        if name in ("work", "out") or not NAME.fullmatch(name):
            raise SandboxError("bad mount name", wanted="letters, digits, - and _, not work or out", found=repr(name))


def no_build(request: RunRequest, backend: str) -> None:
    """Raises SandboxError for a run that builds an environment, which only some backends can give a network."""
    if request.build:
        raise SandboxError(
            "an environment cannot be built by this backend",
            wanted="bubblewrap",
            found=backend,
            where="environment.requirements",
            fix="build it once with --sandbox bubblewrap, or name a ready one in environment.python",
        )


def fill(words: Sequence[str], places: Mapping[str, str]) -> list[str]:
    """The words with {name} replaced for the known names; other braces, such as JSON's, stay as they are."""
    pattern = re.compile("{(" + "|".join(map(re.escape, places)) + ")}")
    return [pattern.sub(lambda match: places[match[1]], word) for word in words]


def argv(request: RunRequest, places: Mapping[str, str]) -> list[str]:
    """The command with paths put in; a first word `python` becomes the request's interpreter."""
    first, *rest = fill(request.argv, places)
    return [str(request.interpreter.executable) if first == "python" else first, *rest]


def environment(request: RunRequest, places: Mapping[str, str], *, home: str, tmp: str) -> dict[str, str]:
    """Everything a run finds in its environment. Nothing of the caller's own environment is in it."""
    filled = fill(tuple(request.env.values()), places)
    return {
        "PATH": ":".join(dict.fromkeys((str(request.interpreter.executable.parent), *SYSTEM_PATH))),
        "HOME": home,
        "TMPDIR": tmp,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        **thread_environment(request.limits.threads),
        **dict(zip(request.env, filled, strict=True)),
    }


def throwaway_copy(work: Path, folder: Path) -> None:
    """Copies a work tree for a run that writes into it; links are left out, as their targets are not ours to show."""

    def links(directory: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(directory, name).is_symlink()]

    shutil.copytree(work, folder, ignore=links)


def system_interpreter() -> Interpreter:
    """For commands that need no Python: only the system folders are shown."""
    return Interpreter(Path("/usr/bin/true"), ())

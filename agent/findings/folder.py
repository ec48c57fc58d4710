"""The Python files of a folder as they lie there: no git, no target.toml, nothing installed or imported."""

import os
from collections.abc import Iterator
from pathlib import Path

from ...targets.errors import UsageError

MAX_FILES = 50_000
MAX_BYTES = 2_000_000
"""Larger files are named and not read."""
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
ENVIRONMENT = "pyvenv.cfg"
"""Stands at the top of every virtual environment, whatever its name."""


def python_sources(path: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Content by path relative to `path`, and the files that are too large; links are not followed.

    Hidden folders, virtual environments and what a package manager put there are left out.

    Raises:
        UsageError: there is no Python file, or more than can be read.
    """
    files = [path] if path.is_file() else sorted(_files(path))
    if not files:
        raise UsageError("no Python file here", where=str(path), fix="name the folder that holds the code")
    top = path.parent if path.is_file() else path
    sources: dict[str, bytes] = {}
    large: list[str] = []
    for file in files:
        name = file.relative_to(top).as_posix()
        if file.stat().st_size > MAX_BYTES:
            large.append(name)
        else:
            sources[name] = file.read_bytes()
    return sources, tuple(large)


def _files(top: Path) -> Iterator[Path]:
    found = 0
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if _is_read(Path(folder, f))]
        for name in names:
            file = Path(folder, name)
            if name.endswith(".py") and file.is_file() and not file.is_symlink():
                found += 1
                if found > MAX_FILES:
                    raise UsageError(f"more than {MAX_FILES:,} Python files", where=str(top), fix="name a folder of it")
                yield file


def _is_read(folder: Path) -> bool:
    return not (folder.name.startswith(".") or folder.name in SKIPPED or (folder / ENVIRONMENT).exists())

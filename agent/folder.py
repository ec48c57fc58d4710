"""The text files of a folder as they lie there: no git, no target.toml, nothing installed or run."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..targets.checkout import TEXT
from ..targets.errors import UsageError
from .code_map import Unread

MAX_FILES = 50_000
MAX_BYTES = 2_000_000
"""Larger files are named and not read, as those of a commit are."""
MAX_TOTAL = 256_000_000
"""Bytes; a folder with more text is a data set, or the wrong folder."""
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
ENVIRONMENT = "pyvenv.cfg"
"""Stands at the top of every virtual environment, whatever its name."""


def read_folder(top: Path) -> tuple[dict[str, bytes], tuple[Unread, ...]]:
    """Content by path relative to `top`, and what was not read. Links are not followed.

    Hidden folders, virtual environments, repositories in the folder and what a package manager put there are left out.

    Raises:
        UsageError: no such folder, or more text than is read.
    """
    sources: dict[str, bytes] = {}
    unread: list[Unread] = []
    total = 0
    for path in sorted(_files(top)):
        name = path.relative_to(top).as_posix()
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            unread.append(Unread(name, error.strerror or "cannot be opened"))
            continue
        if len(data) > MAX_BYTES:
            unread.append(Unread(name, "too large to be read"))
            continue
        total += len(data)
        if total > MAX_TOTAL:
            raise UsageError(f"more than {MAX_TOTAL:,} bytes of text", where=str(top), fix="name a folder of it")
        sources[name] = data
    return sources, tuple(unread)


def _files(top: Path) -> Iterator[Path]:
    if not top.is_dir():
        raise UsageError("no such folder", where=str(top))
    found = 0
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if _is_read(Path(folder, name))]
        for name in names:
            path = Path(folder, name)
            # A name that cannot be printed cannot be shown, quoted or edited either.
            if path.suffix.lower() in TEXT and str(path).isprintable() and path.is_file() and not path.is_symlink():
                found += 1
                if found > MAX_FILES:
                    raise UsageError(f"more than {MAX_FILES:,} text files", where=str(top), fix="name a folder of it")
                yield path


def _is_read(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in SKIPPED:
        return False
    return not ((folder / ENVIRONMENT).exists() or (folder / ".git").exists())

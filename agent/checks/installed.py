"""What an interpreter could import, read from its folders: nothing of the target is run or imported to find out."""

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

MODULE_SUFFIXES = (".py", ".pyc", ".so", ".pyd")
MAX_PTH = 100_000


@lru_cache(maxsize=16)
def installed_modules(interpreter: Path) -> frozenset[str]:
    """Top-level importable names: the standard library's, and those in the site-packages `interpreter` would use."""
    names = set(sys.stdlib_module_names) | set(sys.builtin_module_names)
    seen: set[Path] = set()
    for folder in _site_folders(interpreter):
        _collect(folder, names, seen)
    return frozenset(names)


def _site_folders(interpreter: Path) -> Iterator[Path]:
    prefix = interpreter.parent.parent
    prefixes = [prefix]
    settings = _venv_settings(prefix / "pyvenv.cfg")
    if settings is None:
        prefixes.append(interpreter.resolve().parent.parent)
    elif settings.get("include-system-site-packages", "").lower() == "true" and settings.get("home"):
        prefixes += [Path(settings["home"]).parent, Path(settings["home"]).resolve().parent]
    for one in dict.fromkeys(prefixes):
        for pattern in ("lib/python3*/site-packages", "lib64/python3*/site-packages", "Lib/site-packages"):
            yield from sorted(one.glob(pattern))
        if settings is None or one != prefix:
            # Debian keeps what apt and pip install in folders of its own.
            yield from sorted(one.glob("lib/python3*/dist-packages"))
            yield from sorted(one.glob("local/lib/python3*/dist-packages"))


def _venv_settings(file: Path) -> dict[str, str] | None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return {key.strip().lower(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def _collect(folder: Path, names: set[str], seen: set[Path]) -> None:
    if folder in seen:
        return
    seen.add(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.suffix == ".pth":
            for line in _text_lines(entry):
                if line and not line.startswith(("#", "import ", "import\t")):
                    _collect((folder / line).absolute(), names, seen)
        elif entry.suffix in (".dist-info", ".egg-info"):
            # An editable install leaves its names here and its code elsewhere.
            names.update(line.strip() for line in _text_lines(entry / "top_level.txt") if line.strip().isidentifier())
        elif entry.name.endswith(MODULE_SUFFIXES):
            names.add(entry.name.split(".")[0])
        elif entry.name.isidentifier() and entry.is_dir():
            names.add(entry.name)


def _text_lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return [line.strip() for line in stream.read(MAX_PTH).splitlines()]
    except OSError:
        return []

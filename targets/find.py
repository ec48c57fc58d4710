"""Finds the target a person means: a shipped one, one drafted before, a folder, or a target.toml."""

from pathlib import Path

from .errors import TargetError
from .mistakes import nearest
from .shipped import PACKAGE
from .target import Target, read_target


def shipped() -> tuple[str, ...]:
    """Names of the targets that come with the package, sorted."""
    return _names(PACKAGE)


def find_target(ref: str, home: Path) -> Target:
    """The target called `ref` (shipped, then drafted below `home`), or described at the path `ref`.

    Raises: TargetError when there is none, or when its target.toml has a mistake.
    """
    drafted = home / "targets"
    if ref in shipped():
        return read_target(PACKAGE / ref)
    if ref in _names(drafted):
        return read_target(drafted / ref)
    path = Path(ref).expanduser()
    if (path / "target.toml").is_file() or path.is_file():
        return read_target(path)
    if path.is_dir():
        raise TargetError("there is no target.toml in this folder", where=ref, fix=f"branchlab init {ref}")
    known = {*shipped(), *_names(drafted)}
    fix = nearest(ref, known) or "branchlab init PATH_OR_URL"
    raise TargetError("no such target", wanted=f"a path, or one of {', '.join(sorted(known))}", found=ref, fix=fix)


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in folder.glob("*/target.toml")))

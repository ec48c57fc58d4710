"""`branchlab map`: what was understood of a target's code, or of the code in any folder."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ..targets.checkout import Checkout
from ..targets.errors import UsageError
from ..targets.find import find_target, shipped
from ..targets.state_folder import prepare_home
from ..targets.tunable import Tunable
from .audit import AuditFinding, audit
from .bare_target import bare_target
from .code_map import CodeMap
from .folder import read_folder
from .index import NAME, FactIndex
from .map_data import write_json
from .map_view import render_map
from .proposers.defects import Finding, find_defects
from .read import read_code
from .read_commit import read_commit
from .tunables import find_tunables


@dataclass(frozen=True, slots=True)
class Mapped:
    """All that a map shows."""

    code: CodeMap
    tunables: tuple[Tunable, ...]
    findings: tuple[Finding, ...]
    audited: tuple[AuditFinding, ...] = ()
    """Of the target's evaluator; nothing without a target."""


def show_map(ref: str, home: Path, *, as_json: bool) -> None:
    """Prints the map of a target's base commit, or of a folder's or a bare repository's code."""
    mapped = map_of(ref, home)
    if as_json:
        write_json(sys.stdout, mapped.code, mapped.tunables, mapped.findings, mapped.audited)
        return
    from rich.console import Console

    Console().print(render_map(mapped.code, mapped.tunables, mapped.findings, mapped.audited))


def map_of(ref: str, home: Path) -> Mapped:
    """What `ref` holds: a target's name or path, or without a target.toml any folder, read as it lies there.

    Raises: TargetError for no such target, UsageError for a folder without Python.
    """
    home = prepare_home(home)
    folder = Path(ref).expanduser()
    if not is_bare(ref, home):
        target = find_target(ref, home)
        with Checkout.open(target, home) as checkout:
            code = read_commit(checkout, checkout.base, target)
            notes = checkout.notes
        code = replace(code, notes=(*code.notes, *notes))
        return Mapped(code, tuple(find_tunables(code, target)), find_defects(code), audit(code, target))
    if _is_git_directory(folder):
        with Checkout.open(bare_target(str(folder.absolute())), home) as checkout:
            code = read_commit(checkout, checkout.base)
    else:
        code = _of_folder(folder, home)
    if not any(name.endswith(".py") for name in code.sources):
        raise UsageError("no Python file here", where=ref, fix="name the folder that holds the code")
    # As if the training command named every script: tunables are then those of what the scripts import.
    target = bare_target(str(folder.absolute()), scripts=code.entry)
    return Mapped(code, tuple(find_tunables(code, target)), find_defects(code))


def is_bare(ref: str, home: Path) -> bool:
    """Whether `ref` is a folder without a target.toml, and not the name of a target."""
    folder = Path(ref).expanduser()
    if not folder.is_dir() or (folder / "target.toml").is_file():
        return False
    return not (ref in shipped() or (home / "targets" / ref / "target.toml").is_file())


def _of_folder(folder: Path, home: Path) -> CodeMap:
    sources, unread = read_folder(folder)
    with FactIndex(home / NAME) as index:
        code = read_code("", sources, index=index)
    return replace(code, unread=(*code.unread, *unread))


def _is_git_directory(folder: Path) -> bool:
    """A repository without a work tree: no file in it is the code."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()

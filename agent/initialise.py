"""Drafts a target.toml for somebody's repository, beside the runs and never inside the repository."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..targets.checkout import Checkout
from ..targets.errors import UsageError
from ..targets.state_folder import prepare_home
from .bare_target import bare_target
from .draft import draft_target
from .read_commit import read_commit


@dataclass(frozen=True, slots=True)
class Draft:
    name: str
    file: Path


def draft(path_or_url: str, home: Path, *, commit: str | None, name: str | None) -> Draft:
    """The drafted manifest's place.

    Raises:
        UsageError: not a repository, no Python in it, no entry point; or a manifest of this name is there already.
    """
    home = prepare_home(home)
    source = path_or_url if "://" in path_or_url else str(Path(path_or_url).absolute())
    name = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(source.removesuffix(".git")).name).strip("-.") or "target"
    file = home / "targets" / name / "target.toml"
    if file.exists():
        raise UsageError("a target of this name is there already", where=str(file), fix="another --name, or delete it")
    checkout = Checkout.open(bare_target(source, commit), home)
    try:
        code = read_commit(checkout, checkout.base)
        text = draft_target(code, name, source, checkout.base)
    finally:
        checkout.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return Draft(name, file)

"""The folder branchlab keeps its state in: ours, never one that a repository brought along.

By default it is `.branchlab` where one stands, which often is a stranger's repository. A commit that holds a `.branchlab` of
its own could point it at other folders, say what earlier runs found, or hand us git directories and targets.
"""

import os
from pathlib import Path

from .errors import TargetError
from .tracked import tracked


def prepare_home(home: Path) -> Path:
    """The state folder, absolute, made if need be, and invisible to the git of a repository it may lie in.

    Raises: TargetError when it cannot be written, or is part of a repository.
    """
    home = home.absolute()
    check_home(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        # O_EXCL: a link of that name is not followed, even one that leads nowhere yet.
        ignore = os.open(home / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if isinstance(error, FileExistsError) and home.is_dir():
            return home
        found, fix = error.strerror or str(error), "choose another --home"
        raise TargetError("the state folder cannot be written", found=found, where=str(home), fix=fix) from None
    with os.fdopen(ignore, "w", encoding="utf-8") as file:
        file.write("*\n")
    return home


def check_home(home: Path) -> None:
    """Nothing for a folder that no repository around it has among its files. Raises: TargetError for another one."""
    if found := tracked(home):
        raise TargetError(
            "the state folder is part of a repository, whose authors could have written anything in it",
            found=found,
            where=str(home.absolute()),
            fix="choose another --home",
        )

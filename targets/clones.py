"""Our own bare clones: one for each source, with a configuration we wrote, shared safely by several processes."""

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import TargetError
from .hardened_git import GitFailed, git
from .state_folder import prepare_home

CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\thooksPath = /dev/null
\tfsmonitor = false
\tlogAllRefUpdates = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
LOCK_SECONDS = 600.0
MANY_PACKS = 100


def clone_for(source: str, home: Path) -> Path:
    """The bare clone of a source (a git directory or a URL), made empty if it is new; configuration set again."""
    word = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(source.removesuffix("/.git")).name).strip("-.") or "repo"
    clone = home / "repos" / f"{word[:40]}-{hashlib.sha256(source.encode()).hexdigest()[:12]}.git"
    prepare_home(home)
    clone.parent.mkdir(exist_ok=True)
    with locked(clone):
        if not clone.exists():
            with tempfile.TemporaryDirectory(prefix=".new-", dir=clone.parent) as folder:
                new = Path(folder) / "clone"
                git(None, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(new))
                os.rename(new, clone)
        if (clone / "config").read_text() != CONFIG:
            (clone / "config").write_text(CONFIG)
    return clone


@contextmanager
def locked(clone: Path, *, wait: float = LOCK_SECONDS) -> Iterator[None]:
    """Holds the clone's lock; the kernel gives it back when a process dies.

    Raises: TargetError when another process holds it for longer than `wait` seconds.
    """
    path = clone.with_suffix(".lock")
    with path.open("w") as file:
        give_up = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    message = "another branchlab process is setting this repository up"
                    raise TargetError(message, where=str(path), fix="wait for it, or end it") from None
                time.sleep(0.05)
        yield


def fetch_url(url: str, clone: Path) -> None:
    """Brings every branch and tag of a URL into the clone. Raises: TargetError when it cannot be fetched."""
    # Only here may git reach out; a password prompt or another transport is still refused.
    reach = {"GIT_ALLOW_PROTOCOL": "https:http:ssh:file", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
    for name in ("HOME", "SSH_AUTH_SOCK"):
        reach |= {name: os.environ[name]} if name in os.environ else {}
    options = ("--quiet", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--no-tags")
    refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    try:
        git(clone, "fetch", *options, "--", url, *refs, env=reach)
    except GitFailed as error:
        fix = "git clone it yourself and give the folder"
        raise TargetError("the repository cannot be fetched", found=error.reason, where=url, fix=fix) from None


def register(clone: Path) -> IO[str]:
    """An open file that says this process uses the clone, until it is closed.

    When nobody else does, the small packs that earlier runs left are joined first.
    """
    users = clone.with_suffix(".users").open("w")
    if len(_packs(clone)) >= MANY_PACKS:
        join_packs(clone, users)
    fcntl.flock(users, fcntl.LOCK_SH)
    return users


def join_packs(clone: Path, users: IO[str]) -> None:
    """Joins small packs and packs the refs, unless another process uses the clone: its children may read them."""
    with locked(clone):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            git(clone, "repack", "-d", "--quiet", "--geometric=2", "--no-write-bitmap-index")
            git(clone, "pack-refs", "--all")
        fcntl.flock(users, fcntl.LOCK_SH)


def _packs(clone: Path) -> list[Path]:
    return list(clone.glob("objects/pack/*.pack"))

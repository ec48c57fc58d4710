"""Takes over a virtual environment that strangers' code has made: what the host and later runs may rely on in it."""

import os
import stat
from pathlib import Path

READABLE = 0o755
"""For folders and programs: the owner changes them, everyone reads them."""


def seal(venv: Path, base: Path) -> str:
    """Makes a new environment ours and readable for everyone; what is wrong with it, empty when nothing is.

    Only folders, files, and links that stay inside may be in it, besides the links to `base`, its interpreter: what the
    host looks at later is never led elsewhere, and no file has the rights of another user. Nothing may run in it any more.
    """
    own = (os.geteuid(), os.getegid())
    if os.path.realpath(venv / "bin" / "python") != os.path.realpath(base):
        return "the build replaced the environment's interpreter"
    try:
        os.chown(venv, *own)
        for parent, folders, files in os.walk(venv, onerror=_raise):
            for name in (*folders, *files):
                path = os.path.join(parent, name)
                os.chown(path, *own, follow_symlinks=False)
                if fault := _fault(path, os.path.realpath(venv), os.path.realpath(base)):
                    return f"{fault}: {os.path.relpath(path, venv)}"
                # Before the walk goes in: its maker may have locked a folder.
                _open(path)
    except OSError as error:
        return f"the environment cannot be read: {error.strerror}"
    return ""


def open_to_all(folder: Path) -> None:
    """Lets everyone read a folder of ours and all that is in it, whatever the umask was."""
    _open(str(folder))
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _open(os.path.join(parent, name))


def _open(path: str) -> None:
    mode = os.lstat(path).st_mode
    if not stat.S_ISLNK(mode):
        os.chmod(path, READABLE if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644)


def _fault(path: str, top: str, base: str) -> str:
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return ""
    if not stat.S_ISLNK(mode):
        return "the build left something that is no file"
    real = os.path.realpath(path)
    inside = real in (top, base) or real.startswith(top + os.sep)
    return "" if inside else "the build left a link that leads elsewhere"


def _raise(error: OSError) -> None:
    raise error

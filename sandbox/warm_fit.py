"""Whether a run may start warm: only where nothing tells it from a cold start, as far as can be seen beforehand.

A module that is there already is not looked for again. So a tree that brings a module of the same name, or code that sets
the environment before an import reads it, must start cold.
"""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .runner import RunRequest

MOST_FILES = 2000
"""Python files of a tree: more would cost more to look through than an import does."""
MOST_BYTES = 16 * 1024 * 1024
ENVIRONMENT = re.compile(rb"\benviron\b|\bputenv\b|\benvironb\b")
"""Reading it would do no harm, but no text search tells reading from writing."""
HOOKS = frozenset({"sitecustomize", "usercustomize"})
SWITCHES = re.compile("-[BEIOPSRbqsu]+")


@dataclass(frozen=True, slots=True)
class Form:
    """A command line of Python, taken apart."""

    flags: tuple[str, ...]
    kind: Literal["c", "m", "file"]
    target: str
    """Program text, module, or path of a file."""
    rest: tuple[str, ...]

    @property
    def argv(self) -> list[str]:
        """What the program finds in sys.argv."""
        return [{"c": "-c", "m": "-m"}.get(self.kind, self.target), *self.rest]


def form_of(words: tuple[str, ...]) -> Form | None:
    """The command `python ...` taken apart; None when it is anything but flags and a file, `-m` or `-c`."""
    if not words or words[0] != "python":
        return None
    flags: list[str] = []
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-c", "-m"):
            return Form(tuple(flags), "c" if word == "-c" else "m", rest[0], tuple(rest[1:])) if rest else None
        if word == "-W" and rest:
            flags += [word, rest.pop(0)]
        elif SWITCHES.fullmatch(word) or (word.startswith("-W") and len(word) > 2):
            flags.append(word)
        elif word.startswith("-"):
            return None
        else:
            return Form(tuple(flags), "file", word, tuple(rest)) if word.endswith(".py") else None
    return None


def unfit_request(request: RunRequest) -> str:
    """Why the request must start cold whatever is in its tree; empty when it need not."""
    if request.gpu is not None or request.build is not None:
        return "it has a GPU, or makes an environment"
    form = form_of(request.argv)
    if form is None:
        return "its command is not python with a file, -m or -c"
    if form.kind == "file" and os.path.isabs(form.target):
        return "its program is not of its tree"
    if not request.env.get("PYTHONHASHSEED", "0").isdigit():
        return "its hash seed is drawn anew each time"
    known = {"PYTHONHASHSEED", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE"}
    if others := sorted(name for name in request.env if name.startswith("PYTHON") and name not in known):
        return f"{others[0]} steers its interpreter"
    return ""


def unfit_tree(request: RunRequest, loaded: Collection[str]) -> str:
    """Why the run must start cold for what is in its tree; empty when it need not. `loaded` are the top-level names of
    modules that a warm start finds imported."""
    form = form_of(request.argv)
    if form and form.kind == "c" and ENVIRONMENT.search(form.target.encode("utf-8", "surrogateescape")):
        return "its program mentions the environment"
    if form and form.kind == "file" and not Path(request.work, form.target).is_file():
        return "its program is not there"
    names = frozenset(loaded) | HOOKS
    files = size = 0
    for folder, folders, found in os.walk(request.work):
        modules = [name for name in found if name.endswith((".py", ".pyc", ".so"))]
        if "__init__.py" not in found:  # it may be, or come to be, on sys.path
            for name in (*folders, *(module.partition(".")[0] for module in modules)):
                if name in names:
                    return f"it brings its own {name}"
        if links := [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            return f"{links[0]} is a link"
        for name in modules:
            files += 1
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or os.path.islink(path):
                return f"{name} is no plain file"
            size += os.path.getsize(path)
            if files > MOST_FILES or size > MOST_BYTES:
                return "it has too much code to look through"
            if name.endswith(".py") and ENVIRONMENT.search(Path(path).read_bytes()):
                return f"{os.path.relpath(path, request.work)} mentions the environment"
    return ""

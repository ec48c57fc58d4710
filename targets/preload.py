"""Which installed modules a step imports before it does anything: what may be imported once for many runs of it."""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

LATE = {"torch": (b"optim", "?torch._dynamo")}
"""By library: what it imports only once code uses it, and the word in code that tells. Making torch's first optimizer takes as
long as importing torch."""


def preload(tree: Path, argv: Sequence[str], roots: Sequence[str] = ()) -> tuple[str, ...]:
    """What `argv` run in `tree` imports on the way that is neither the repository's nor the standard library's, in the order
    it would, as `RunRequest.preload` wants it; nothing when `argv` is not `python` with a file or module of the tree.

    Only what stands at the top of a file counts: an import in a function or a `try` may never happen, or fail. `roots` are
    folders on PYTHONPATH beside the started file's own.
    """
    words = list(argv)
    if not words or words[0] != "python":
        return ()
    entry = next((word for word in words[1:] if word.endswith(".py")), None)
    folders = [tree, *(tree / root for root in roots)]
    if "-m" in words[:-1]:
        file = _own(words[words.index("-m") + 1], folders)
    else:
        file = tree / entry if entry else None
        folders = [(tree / entry).parent, *folders[1:]] if entry else folders
    if file is None or not file.is_file():
        return ()
    seen = {file}
    found = dict.fromkeys(_imported(file, folders, seen))
    tops = {name.partition(":")[0].partition(".")[0] for name in found}
    late = (name for top, (word, name) in LATE.items() if top in tops and any(word in f.read_bytes() for f in seen))
    return (*found, *late)


def _imported(file: Path, folders: Sequence[Path], seen: set[Path]) -> Iterator[str]:
    for module, names in _top_level(file, folders):
        top = module.partition(".")[0]
        if not _is_own(top, folders):
            if top not in sys.stdlib_module_names:
                yield f"{module}:{','.join(names)}" if names else module
            continue
        # What is taken from a package of its own may be a module.
        for dotted in (module, *(f"{module}.{name}" for name in names)):
            parts = dotted.split(".")
            for count in range(1, len(parts) + 1):  # the packages on the way are imported too
                found = _own(".".join(parts[:count]), folders)
                if found and found not in seen:
                    seen.add(found)
                    yield from _imported(found, folders, seen)


def _top_level(file: Path, folders: Sequence[Path]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Modules by their full names, each with what is taken from it."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from ((alias.name, ()) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and (module := _absolute(statement, file, folders)):
            yield module, tuple(alias.name for alias in statement.names)


def _absolute(statement: ast.ImportFrom, file: Path, folders: Sequence[Path]) -> str:
    """The module by its full name; empty when it cannot be told."""
    if statement.level == 0:
        return statement.module or ""
    folder = next((each for each in folders if file.is_relative_to(each)), None)
    package = file.relative_to(folder).parts[:-1] if folder else ()
    kept = package[: len(package) - statement.level + 1]
    return ".".join((*kept, *([statement.module] if statement.module else []))) if kept else ""


def _is_own(top: str, folders: Sequence[Path]) -> bool:
    return any((folder / f"{top}.py").is_file() or (folder / top).is_dir() for folder in folders)


def _own(dotted: str, folders: Sequence[Path]) -> Path | None:
    path = dotted.replace(".", "/")
    candidates = (folder / f"{path}{end}" for folder in folders for end in (".py", "/__init__.py"))
    return next((file for file in candidates if file.is_file()), None)

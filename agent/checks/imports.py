"""Every module a changed file imports exists: in the standard library, in the tree, or in the target's environment.

Decided from names and folders alone; nothing is imported.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from ...evals.trial import Verdict
from ...sandbox.environments import find
from ...targets.target import Target
from ..readable import UnreadableError, parse
from .base import Change


@dataclass(frozen=True, slots=True)
class Imports:
    name: str = "imports"

    def judge(self, target: Target, change: Change) -> Verdict:
        known = sys.stdlib_module_names | installed_modules(target.environment.python)
        for file, data in sorted(change.after.items()):
            if data is None or not file.endswith(".py"):
                continue
            old = set(_imported(change.before.get(file)))
            for module, line in _imported(data):
                if (module, line) in old or module in {name for name, _ in old}:
                    continue  # the base's own business: it may be optional
                if not _exists(module, file, change.tree, known):
                    return Verdict(self.name, False, f"{file}:{line}: no module {module!r} here or in the environment")
        return Verdict(self.name, True, "")


@cache
def installed_modules(python: str | None) -> frozenset[str]:
    """Top-level names that site-packages of the interpreter hold."""
    names: set[str] = set()
    for prefix in find(python, ()).prefixes:
        for folder in prefix.glob("lib/python3*/*-packages"):
            names.update(_module_name(path) for path in folder.iterdir() if not path.name.startswith(("_", ".")))
    return frozenset(names)


def _module_name(path: Path) -> str:
    return path.name.partition(".")[0]


def _imported(data: bytes | None) -> Iterator[tuple[str, int]]:
    """Dotted modules and their lines; relative ones keep their dots."""
    try:
        tree = parse(data)[1] if data is not None else ast.Module([], [])
    except UnreadableError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno


def _exists(module: str, file: str, tree: Mapping[str, bytes], known: frozenset[str]) -> bool:
    dots = len(module) - len(module.lstrip("."))
    if dots:
        folders = PurePosixPath(file).parents
        if dots > len(folders):
            return False
        base = folders[dots - 1]
        rest = module[dots:].replace(".", "/")
        return not rest or _in_tree((base / rest).as_posix(), tree)
    if module.partition(".")[0] in known:
        return True
    path = module.replace(".", "/")
    places = [PurePosixPath(file).parent, PurePosixPath(), *{PurePosixPath(other).parent for other in tree}]
    return any(_in_tree((place / path).as_posix(), tree) for place in places)


def _in_tree(path: str, tree: Mapping[str, bytes]) -> bool:
    return f"{path}.py" in tree or any(other.startswith(f"{path}/") and other.endswith(".py") for other in tree)

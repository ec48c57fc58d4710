"""Every import a change brings resolves: in the standard library, in the tree, or in the target's interpreter."""

import ast
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...evals.trial import Verdict
from ...targets.target import Target
from ..imports import Modules
from ..readable import UnreadableError, parse
from .base import Change
from .installed import installed_modules


@dataclass(frozen=True, slots=True)
class Imported:
    module: str
    """As written, relative dots included."""
    name: str | None
    line: int


class Imports:
    name = "imports"

    def judge(self, target: Target, change: Change) -> Verdict:
        tree = {
            file: data
            for file, data in change.tree.items()
            if file.endswith(".py") and change.after.get(file, b"") is not None
        }
        # What such a change installs is not known before its environment is built.
        installs = not target.dependency_files.isdisjoint(change.after)
        resolver = _Resolver(tree, target, installs=installs)
        for file, data in sorted(change.after.items()):
            if data is None or not file.endswith(".py"):
                continue
            known = {(one.module, one.name) for one in _imports(change.before.get(file))}
            for one in _imports(data):
                if (one.module, one.name) not in known and (fault := resolver.fault(file, one)):
                    return Verdict(self.name, False, f"{file}:{one.line}: {fault}")
        return self._importers_still_served(change, tree, resolver)

    def _importers_still_served(self, change: Change, tree: Mapping[str, bytes], resolver: "_Resolver") -> Verdict:
        """A file that did not change may import what a changed one no longer has."""
        # An importer of a package's `__init__.py` writes the package's name.
        stems = {Path(f).stem if Path(f).stem != "__init__" else Path(f).parent.name for f in change.after}
        for file, data in sorted(tree.items()):
            if file in change.after or not any(stem.encode() in data for stem in stems if stem):
                continue
            for one in _imports(data):
                if resolver.home_of(file, one) in change.after and (fault := resolver.fault(file, one)):
                    return Verdict(self.name, False, f"{file}:{one.line}: {fault}")
        return Verdict(self.name, True, "every import resolves")


class _Resolver:
    def __init__(self, tree: Mapping[str, bytes], target: Target, *, installs: bool) -> None:
        self._tree = tree
        self._installs = installs
        self._modules = Modules(tree, target.environment.path)
        python = target.environment.python
        found = shutil.which(str(Path(python).expanduser())) if python else None
        self._installed = installed_modules(Path(found or sys.executable).absolute())

    def home_of(self, file: str, one: Imported) -> str | None:
        """The file of the tree that is imported, None when it is not of the tree."""
        dotted = _absolute(file, one.module)
        return None if dotted is None else self._modules.file_of(dotted, file)

    def fault(self, file: str, one: Imported) -> str:
        """Why the import would fail, empty when it resolves."""
        written = f"from {one.module} import {one.name}" if one.name else f"import {one.module}"
        dotted = _absolute(file, one.module)
        if dotted is None:
            return f"`{written}` goes above the top of the tree"
        home = self._modules.file_of(dotted, file)
        if home is None:
            if not one.module.startswith(".") and dotted.split(".")[0] in self._installed:
                return ""
            if one.name and self._modules.file_of(f"{dotted}.{one.name}".lstrip("."), file):
                return ""  # a folder without __init__.py
            if self._is_folder(dotted, file):
                return "" if one.name is None else f"`{written}`: no such module in that folder"
            if self._installs and not one.module.startswith("."):
                return ""
            return f"`{written}`: not in the standard library, the tree, or the packages of the target's interpreter"
        if one.name in (None, "*") or self._modules.file_of(f"{dotted}.{one.name}", file):
            return ""
        names = _bound_names(self._tree.get(home))
        return "" if names is None or one.name in names else f"`{written}`: {home} has no such name"

    def _is_folder(self, dotted: str, file: str) -> bool:
        folder = dotted.replace(".", "/") + "/"
        beside = file.rpartition("/")[0]
        return any(path.startswith((folder, f"{beside}/{folder}")) for path in self._tree)


def _absolute(file: str, module: str) -> str | None:
    """`..data` in `pkg/train/run.py` is `pkg.data`; None when there are more dots than folders."""
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return module
    folders = file.split("/")[:-1]
    if dots - 1 > len(folders):
        return None
    base = folders[: len(folders) - dots + 1]
    return ".".join([*base, *filter(None, [module.lstrip(".")])])


def _imports(data: bytes | None) -> list[Imported]:
    """Imports that must succeed: those under `try`, `if TYPE_CHECKING` or `except` may fail in peace."""
    try:
        tree = parse(data)[1] if data is not None else None
    except UnreadableError:
        return []
    return list(_imports_in(tree)) if tree else []


def _imports_in(node: ast.AST) -> Iterator[Imported]:
    if isinstance(node, ast.Import):
        yield from (Imported(alias.name, None, node.lineno) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield from (Imported(module, alias.name, node.lineno) for alias in node.names)
    elif _may_fail(node):
        return
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports_in(child)


def _may_fail(node: ast.AST) -> bool:
    if isinstance(node, ast.Try):
        return any(_catches_import_errors(handler) for handler in node.handlers)
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _catches_import_errors(handler: ast.ExceptHandler) -> bool:
    caught = "" if handler.type is None else ast.unparse(handler.type)
    return not caught or any(word in caught for word in ("ImportError", "ModuleNotFoundError", "Exception"))


def _bound_names(data: bytes | None) -> frozenset[str] | None:
    """Names a module has at its top level; None when that cannot be known (a star import, a `__getattr__`)."""
    try:
        tree = parse(data)[1] if data is not None else None
    except UnreadableError:
        return None
    names: set[str] = set()
    pending: list[ast.AST] = [tree] if tree else []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.ImportFrom | ast.Import):
            names.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        pending.extend(ast.iter_child_nodes(node))
    return None if names & {"*", "__getattr__", "globals"} else frozenset(names | {"__doc__", "__name__", "__file__"})

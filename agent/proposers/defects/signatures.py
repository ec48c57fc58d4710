"""What functions and classes of installed packages accept, read from their source and never imported."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...readable import UnreadableError, parse

_MAX_FILES = 200
_MAX_BYTES = 1_000_000
_MAX_STEPS = 10
"""Re-exports followed for one name."""


@dataclass(frozen=True, slots=True)
class Signature:
    keywords: frozenset[str]
    """Parameters that can be given by name."""
    takes_any: bool
    """Whether `**kwargs` takes every other name too."""


class Signatures:
    """Looks signatures up in folders of installed packages; what is not certain has none."""

    def __init__(self, environment: Sequence[Path] = ()) -> None:
        """`environment`: folders that hold packages, such as `site-packages`, the first that has a name winning."""
        self._environment = tuple(environment)
        self._modules: dict[Path, ast.Module | None] = {}
        self._found: dict[str, Signature | None] = {}

    def of(self, dotted: str) -> Signature | None:
        """The signature of `torch.nn.Linear`; None when it is not installed, not plain Python, or changed by a decorator."""
        if not self._environment or "." not in dotted:
            return None
        if dotted not in self._found:
            self._found[dotted] = self._of(dotted, _MAX_STEPS)
        return self._found[dotted]

    def _of(self, dotted: str, steps: int) -> Signature | None:
        if steps == 0:
            return None
        parts = dotted.split(".")
        for count in range(len(parts) - 1, 0, -1):  # the longest module first
            path = self._file(parts[:count])
            tree = self._tree(path) if path is not None else None
            if path is not None and tree is not None:
                return self._in_module(tree, ".".join(parts[:count]), path, parts[count:], steps)
        return None

    def _file(self, module: Sequence[str]) -> Path | None:
        for root in self._environment:
            base = root.joinpath(*module)
            for path in (base / "__init__.py", base.with_name(base.name + ".py")):
                if path.is_file():
                    return path
        return None

    def _tree(self, path: Path) -> ast.Module | None:
        if path not in self._modules:
            if len(self._modules) >= _MAX_FILES or path.stat().st_size > _MAX_BYTES:
                return None
            try:
                self._modules[path] = parse(path.read_bytes())[1]
            except UnreadableError:
                self._modules[path] = None
        return self._modules[path]

    def _in_module(
        self, tree: ast.Module, module: str, path: Path, rest: list[str], steps: int
    ) -> Signature | None:  # fmt: skip
        name = rest[0]
        defined = [node for node in tree.body if name in _bound(node)]
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        if not defined:
            stars = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
            found = [self._of(f"{_imported(node, package)}.{'.'.join(rest)}", steps - 1) for node in stars]
            certain = [one for one in found if one is not None]
            return certain[0] if len(certain) == 1 else None
        node = defined[0]
        if len(defined) > 1:
            return None
        if isinstance(node, ast.ImportFrom):
            original = next(a.name for a in node.names if (a.asname or a.name) == name)
            return self._of(".".join([_imported(node, package), original, *rest[1:]]), steps - 1)
        if len(rest) > 1:
            return None  # a method, or an attribute of a value
        if isinstance(node, ast.FunctionDef):
            return None if node.decorator_list else _signature(node, bound=False)
        return self._of_class(node, module, tree, steps) if isinstance(node, ast.ClassDef) else None

    def _of_class(self, node: ast.ClassDef, module: str, tree: ast.Module, steps: int) -> Signature | None:
        """The class's own constructor, or that of its only base."""
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        if node.decorator_list or node.keywords or any(m.name == "__new__" for m in methods):
            return None
        own = [m for m in methods if m.name == "__init__"]
        if own:
            return _signature(own[0], bound=True) if len(own) == 1 and not own[0].decorator_list else None
        if len(node.bases) == 1 and isinstance(node.bases[0], ast.Name):
            return self._of(f"{module}.{node.bases[0].id}", steps - 1)
        return None


def _bound(node: ast.stmt) -> set[str]:
    """Names a statement of a module binds, those under a condition included."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.alias):
            found.add(inner.asname or inner.name.split(".")[0])
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(inner.name)
    return found


def _imported(node: ast.ImportFrom, package: str) -> str:
    """The module of a `from` import, as an absolute name."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _signature(node: ast.FunctionDef, *, bound: bool) -> Signature:
    args = node.args
    plain = args.args[1:] if bound and not args.posonlyargs else args.args
    return Signature(frozenset(a.arg for a in (*plain, *args.kwonlyargs)), args.kwarg is not None)

"""A result is read from a file whose name lacks an argument that the result depends on.

Why it hurts: the second run with another size, split or model silently gets the first one's features, and every
comparison of that argument shows no difference. Source: seen in public fix histories.

    before                                  after
    def features(root, size):               def features(root, size):
        path = root / "features.pt"             path = root / f"features-{size}.pt"
        if path.exists():                       if path.exists():
            return torch.load(path)                 return torch.load(path)
        x = extract(root, size)                 x = extract(root, size)
        torch.save(x, path)                     torch.save(x, path)
        return x                                return x

Only told: how a name should say it is the author's choice.

Not flagged: names given by the caller, arguments that only say how, and files that are checked after they are read.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Definition, Function, words
from .cache_key import HOW, depends

_SAVES = frozenset({"save", "dump", "savez", "to_csv", "to_pickle", "to_parquet", "save_to_disk", "savez_compressed"})
_LOADS = frozenset({"load", "read_csv", "read_pickle", "read_parquet", "load_from_disk"})
_PLACES = frozenset({"path", "dir", "folder", "file", "filename", "root", "directory", "url", "output", "out"})


@dataclass(frozen=True, slots=True)
class StaleCacheFile:
    name: str = "stale_cache_file"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not isinstance(function.node, Definition) or len(function.parameters) < 2:
                continue
            for node in function.own:
                path = _existing(node)
                if path is None or not isinstance(node, ast.If) or path.id in function.parameters:
                    continue
                if not _returns_loaded(node, path.id):
                    continue
                saved = _saved(path.id, node, function)
                missing = _missing(path, saved, function) if saved is not None else []
                if missing:
                    yield self._finding(function, node, path.id, missing)

    def _finding(self, function: Function, node: ast.If, path: str, missing: list[str]) -> Finding:
        names = ", ".join(missing)
        return Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            f"Put {names} into the name of the cached file"[:72],
            f"What is saved at `{path}` is computed from `{names}`, and its name does not say so: another value reads the old file.",
            (),
            confidence="medium",
        )


def _existing(node: ast.AST) -> ast.Name | None:
    """The path of `if os.path.exists(path):` and of `if path.exists():`."""
    match node:
        case ast.If(test=ast.Call(func=ast.Attribute(attr="exists" | "isfile"), args=[ast.Name() as path])):
            return path
        case ast.If(test=ast.Call(func=ast.Attribute(value=ast.Name() as path, attr="exists" | "is_file"), args=[])):
            return path
    return None


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _returns_loaded(node: ast.If, path: str) -> bool:
    """`return torch.load(path)`, in one step or two."""
    inner = [n for statement in node.body for n in ast.walk(statement)]
    loads = any(isinstance(n, ast.Call) and called_name(n) in _LOADS for n in inner)
    return (
        isinstance(node.body[-1], ast.Return) and loads and any(_mentions(statement, path) for statement in node.body)
    )


def _saved(path: str, node: ast.If, function: Function) -> ast.expr | None:
    """What a call below the check saves at the path."""
    for call in function.calls:
        if called_name(call) not in _SAVES or call.lineno <= (node.end_lineno or 0):
            continue
        given = [*call.args, *(k.value for k in call.keywords)]
        at = next((arg for arg in given if _mentions(arg, path)), None)
        opened = [above for above in function.source.ancestors(call) if isinstance(above, ast.With)]
        if at is None and not any(_mentions(item, path) for above in opened for item in above.items):
            continue
        rest = [arg for arg in given if arg is not at]
        if rest and called_name(call) in ("save", "dump", "savez"):
            return rest[0]
        return receiver(call)
    return None


def _missing(path: ast.Name, saved: ast.expr, function: Function) -> list[str]:
    known, wanted = depends(path, function), depends(saved, function)
    return [
        name
        for name in function.parameters
        if name in wanted and name not in known and not (HOW | _PLACES) & set(words(name))
    ]

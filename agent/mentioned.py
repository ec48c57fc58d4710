"""Which functions and classes a run may use: those that code which runs mentions, directly or one through another.

A file is imported for one of its twenty models; the literals of the other nineteen change nothing. Mentions are by name
alone, so that whatever could be meant counts; where code looks names up as it runs, everything it may find counts.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .facts import absolute_module
from .imports import Modules

CLI_CALLS = frozenset({"Fire", "CLI", "LightningCLI"})
"""These turn the functions and classes of a file into commands."""
ANYTHING = frozenset({"exec", "eval", "import_module", "__import__", "load_object", "locate"})


@dataclass
class _Code:
    """What one function, one class or the top level of one file mentions."""

    own: set[tuple[str, str]] = field(default_factory=set)
    """Of its own file: a name there hides whatever else is called so."""
    names: set[str] = field(default_factory=set)
    """Of any file."""
    modules: set[str] = field(default_factory=set)
    """Files, or names of modules, all of whose names may be looked up."""


class Mentions:
    """Top-level functions and classes by file, and which of them are in use."""

    def __init__(
        self, sources: Mapping[str, bytes], reached: Sequence[str], entry: Sequence[str], also: Sequence[str] = ()
    ) -> None:
        """`also`: names that configuration files mention."""
        self._modules, self._reached = Modules(reached), tuple(reached)
        self._bodies: dict[tuple[str, str], _Code] = {}
        self._everything = False
        queue = [_Code(names=set(also))]
        for file in reached:
            queue.append(self._read(file, sources[file], is_entry=file in entry))
        by_name: dict[str, list[tuple[str, str]]] = {}
        for key in self._bodies:
            by_name.setdefault(key[1], []).append(key)
        self._alive: set[tuple[str, str]] = set()
        while queue:
            code = queue.pop()
            found = [*code.own, *(key for name in code.names for key in by_name.get(name, ()))]
            found += [key for key in self._bodies if key[0] in code.modules]
            for key in found:
                if key not in self._alive:
                    self._alive.add(key)
                    queue.append(self._bodies[key])

    def in_use(self, file: str, scope: str) -> bool:
        """Whether the code at `scope`, a qualified name in `file`, may run."""
        key = (file, scope.partition(".")[0])
        return self._everything or key not in self._bodies or key in self._alive

    def _read(self, file: str, source: bytes, *, is_entry: bool) -> _Code:
        """The code of the top level of a file; that of its functions and classes is kept."""
        top = _Code()
        body = ast.parse(source).body
        imports = (node for node in body if isinstance(node, ast.Import | ast.ImportFrom))
        heads = dict(pair for node in imports for pair in _imported(node, file))
        own = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._bodies[file, node.name] = self._code(node, file, heads, own)
                if (
                    node.decorator_list or is_entry
                ):  # who knows where a decorator puts it; a script is read as it stands
                    top.own.add((file, node.name))
            elif not isinstance(node, ast.Import | ast.ImportFrom) and (is_entry or not _is_guard(node)):
                code = self._code(node, file, heads, own)
                top.own |= code.own
                top.names |= code.names
                top.modules |= code.modules
        return top

    def _code(self, node: ast.AST, file: str, heads: Mapping[str, str], own: set[str]) -> _Code:
        code = _Code()
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                if one.id in own:
                    code.own.add((file, one.id))
                elif one.id in heads or "*" in heads:
                    code.names.add(heads.get(one.id, one.id).rpartition(".")[2])
            elif isinstance(one, ast.Attribute):
                code.names.add(one.attr)
                if one.attr == "__dict__":
                    code.modules |= self._files(one.value, file, heads)
            elif isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.isidentifier():
                code.names.add(one.value)
            elif isinstance(one, ast.ImportFrom | ast.Import):
                code.names |= {alias.name.rpartition(".")[2] for alias in one.names}
            elif isinstance(one, ast.Call):
                self._looks_up(one, file, heads, code)
        return code

    def _looks_up(self, call: ast.Call, file: str, heads: Mapping[str, str], code: _Code) -> None:
        match call.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                pass
            case _:
                return
        if name in ANYTHING and (name != "eval" or isinstance(call.func, ast.Name)):  # `model.eval()` is another thing
            self._everything = True
        elif name == "globals" or name in CLI_CALLS:
            code.modules |= {file, *(home for head in heads if (home := self._home(heads[head], file)))}
        elif name in {"getattr", "vars"} and call.args:
            code.modules |= self._files(call.args[0], file, heads)

    def _files(self, node: ast.expr, file: str, heads: Mapping[str, str]) -> set[str]:
        """The files of a module, and what they import names from, that an expression stands for."""
        dotted = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        head, dot, rest = dotted.partition(".")
        home = self._home(heads.get(head, head) + dot + rest, file) if head else None
        if home is None:
            return set()
        folder = home.rpartition("/")[0] + "/"
        inside = home.endswith("/__init__.py")
        return {one for one in self._reached if one == home or (inside and one.startswith(folder))}

    def _home(self, dotted: str, file: str) -> str | None:
        """The file of a module, or of the module that a name is imported from."""
        return self._modules.file_of(dotted, file) or self._modules.file_of(dotted.rpartition(".")[0], file)


def _imported(node: ast.Import | ast.ImportFrom, file: str) -> Iterator[tuple[str, str]]:
    """Local names and what they stand for."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield (
                alias.asname or alias.name.partition(".")[0],
                alias.name if alias.asname else alias.name.partition(".")[0],
            )
        else:
            module = absolute_module(file, node.module or "", node.level)
            yield alias.asname or alias.name, f"{module}.{alias.name}" if module else alias.name


def _is_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__"`."""
    return isinstance(node, ast.If) and "__name__" in {
        one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)
    }

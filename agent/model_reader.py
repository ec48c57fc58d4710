"""Finds what a model is made by, and with which arguments, for `constructor_reading` to read."""

import ast
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from .code_map import CodeMap, Import, Symbol
from .constructor_reading import CONTAINERS, NAMESPACES, Reading
from .constructors import Names, bound, constructor, defaults, last, option, root, starred
from .imports import Modules
from .layer_parts import summed
from .model_tree import Layer
from .readable import UnreadableError, parse
from .roles import is_test
from .static_values import Unknown, value_of

MAX_DEPTH = 8
MAX_CALL_SITES = 5
MAX_PARTS = 1_000
"""Layers looked at for one model; a machine-made constructor may have many more."""


class ModelReader:
    """Of one code map; files are parsed once."""

    def __init__(self, code: CodeMap) -> None:
        self._code = code
        self._modules = Modules(code.sources)
        self._module = lru_cache(maxsize=64)(self._parsed)
        self._constants = lru_cache(maxsize=64)(self._constants_of)
        self._classes: dict[str, list[str]] = {}
        for symbol in code.symbols:
            if symbol.kind == "class" and "." not in symbol.name:
                self._classes.setdefault(symbol.name, []).append(symbol.file)
        self._imports = {(one.file, one.alias): one for one in code.imports}
        self._models = {(symbol.file, symbol.name) for symbol in code.with_role("model")}
        self._budget = MAX_PARTS

    def tree(self, symbol: Symbol) -> Layer | None:
        """The tree of a model: a class, a function that returns one, or a module's `model = Sequential(...)`."""
        self._budget = MAX_PARTS
        module = self._module(symbol.file)
        for node in module.body if module else ():
            if isinstance(node, ast.ClassDef) and node.name == symbol.name and symbol.kind == "class":
                return self.model(node, symbol.file, self._made_with(node, symbol.file), 0)
            if isinstance(node, ast.FunctionDef) and node.name == symbol.name and symbol.kind == "function":
                return self._function(node, symbol)
            if isinstance(node, ast.Assign) and node.lineno == symbol.line and symbol.kind == "constant":
                found = Reading(self, symbol.file, self.constants(symbol.file), 0).layer(node.value, symbol.name)
                return replace(found, name=symbol.name) if found and found.kind in CONTAINERS else None
        return None

    def model(self, node: ast.ClassDef, file: str, given: Names, depth: int) -> Layer:
        """A class of the repository whose constructor is given these arguments."""
        reading = Reading(self, file, self._with_settings(node, file, given), depth, node)
        reading.constructor()
        return summed(Layer(node.name, node.name, file, node.lineno), reading.parts.values(), reading.complete)

    def make(self, found: tuple[ast.ClassDef, str], call: ast.Call, names: Names, depth: int) -> Layer | None:
        """A class of the repository as a part, with the arguments it is made with; None when it is no model."""
        node, file = found
        if (file, node.name) not in self._models:
            return None
        if depth > MAX_DEPTH:
            return Layer(node.name, node.name, file, node.lineno)
        return self.model(node, file, bound(self.constructor_of(node, file), call, names), depth)

    def own(self, func: ast.expr, file: str) -> tuple[ast.ClassDef, str] | None:
        """The class of the repository that a name means in `file`: defined there, or imported from another file of it."""
        name = last(func)
        homes = self._classes.get(name, [])
        home: str | None = None
        if isinstance(func, ast.Name) and file in homes:
            home = file
        elif homes:
            imported = self._imports.get((file, root(func))) or self._imports.get((file, "*"))
            there = self._home(imported, file) if imported else None
            home = there if there in homes else homes[0] if there and len(homes) == 1 else None
        module = self._module(home) if home else None
        for node in module.body if module else ():
            if isinstance(node, ast.ClassDef) and node.name == name and home:
                return node, home
        return None

    def constructor_of(self, node: ast.ClassDef, file: str, depth: int = 0) -> ast.FunctionDef | None:
        """The constructor of a class, or the one it inherits."""
        made_by = constructor(node)
        for base in node.bases if made_by is None and depth < MAX_DEPTH else ():
            found = self.own(base, file)
            if found and found[0] is not node:
                return self.constructor_of(*found, depth + 1)
        return made_by

    def constants(self, file: str) -> Names:
        """Values of a module's own `NAME = literal`, and defaults of its command line as `args.name`."""
        return dict(self._constants(file))

    def is_standard(self, func: ast.expr, file: str) -> bool:
        """Whether something called is of Python's own library."""
        imported = self._imports.get((file, root(func)))
        return imported is not None and imported.module.partition(".")[0] in sys.stdlib_module_names

    def spend(self) -> bool:
        """Whether one more layer may be looked at."""
        self._budget -= 1
        return self._budget >= 0

    def _home(self, imported: Import, file: str) -> str | None:
        whole = f"{imported.module}.{imported.name}" if imported.name else imported.module
        return self._modules.file_of(imported.module, file) or self._modules.file_of(whole, file)

    def _parsed(self, file: str) -> ast.Module | None:
        try:
            return parse(self._code.sources[file])[1]
        except (UnreadableError, KeyError):
            return None

    def _constants_of(self, file: str) -> Names:
        names: Names = {}
        module = self._module(file)
        for node in module.body if module else ():
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                names[node.targets[0].id] = value_of(node.value, names)
        for call in ast.walk(module) if module else ():
            if isinstance(call, ast.Call) and last(call.func) == "add_argument" and (given := option(call)):
                names |= {f"{holder}.{given[0]}": given[1] for holder in NAMESPACES}
        return names

    def _with_settings(self, node: ast.ClassDef, file: str, given: Names) -> Names:
        """Names a constructor starts with: constants, arguments, and defaults of a configuration as `config.width`.

        The configuration is of the class its parameter is annotated with, else of the file's only class `...Config`.
        """
        names: Names = {}
        made_by = constructor(node)
        for one in made_by.args.args[1:] if made_by else ():
            found = self.own(one.annotation, file) if one.annotation else None
            if found is None and one.arg in NAMESPACES:
                here = [name for name, homes in self._classes.items() if file in homes and name.endswith("Config")]
                found = self.own(ast.Name(here[0], ast.Load()), file) if len(here) == 1 else None
            for field in found[0].body if found else ():
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.value is not None:
                    names[f"{one.arg}.{field.target.id}"] = value_of(field.value, names)
        return names | self.constants(file) | given

    def _function(self, node: ast.FunctionDef, symbol: Symbol) -> Layer | None:
        reading = Reading(self, symbol.file, self.constants(symbol.file) | defaults(node), 0)
        reading.statements(node.body)
        returned = [
            inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value is not None
        ]
        found = reading.layer(returned[0], symbol.name) if len(returned) == 1 else None
        return replace(found, name=symbol.name) if found else None

    def _made_with(self, node: ast.ClassDef, file: str) -> Names:
        """Arguments of a model's constructor, from the places that spell them where those agree, else its defaults."""
        made_by = self.constructor_of(node, file)
        given: list[Names] = []
        for place in self._places(node.name):
            module = self._module(place[0])
            for call in ast.walk(module) if module else ():
                if (
                    isinstance(call, ast.Call)
                    and call.lineno == place[1]
                    and last(call.func) == node.name
                    and not starred(call)
                ):
                    given.append(bound(made_by, call, self.constants(place[0])))
        if not given or made_by is None:
            return defaults(made_by)
        first, *others = given
        return {
            name: value if all(other.get(name) == value for other in others) else Unknown(name)
            for name, value in first.items()
        }

    def _places(self, name: str) -> Sequence[tuple[str, int]]:
        places = [
            (c.file, c.line) for c in self._code.calls if c.callee.rpartition(".")[2] == name and not is_test(c.file)
        ]
        return places[:MAX_CALL_SITES]

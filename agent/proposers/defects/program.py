"""The files of a repository together: who calls whom, what a name may stand for, which classes are models.

Read with the standard library's `ast`: it is ten times faster than libcst and has lines for free, and a detector only
looks. The edits a finding carries are made by libcst, on the one function they name.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from ...code_map import CodeMap
from ...imports import Modules
from ...readable import UnreadableError, parse
from .searched import searched
from .signatures import Signatures
from .source import Function, Source

MAX_DEFINERS = 5
"""A name defined more often than this says nothing about which definition is meant."""
Value = tuple[ast.expr, Function]


class Program:
    def __init__(self, sources: tuple[Source, ...], environment: Sequence[Path] = ()) -> None:
        self.sources = sources
        self.signatures = Signatures(environment)
        self._modules = Modules(source.path for source in sources)

    @classmethod
    def of(cls, code: CodeMap, environment: Sequence[Path] = ()) -> "Program":
        """The program of the files that are searched, without those that cannot be read.

        `environment`: folders of installed packages whose source may be read for signatures; nothing in them is run.
        """
        found: list[Source] = []
        for path in searched(code):
            try:
                text, tree = parse(code.sources[path])
            except UnreadableError:
                continue  # named in code.unread by whoever read the code
            found.append(Source(path, text, tree))
        return cls(tuple(found), environment)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return tuple(function for source in self.sources for function in source.functions)

    @cached_property
    def _by_name(self) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            if function.name:
                found.setdefault(function.name.rpartition(".")[2], []).append(function)
        return found

    @cached_property
    def _classes(self) -> dict[str, list[tuple[ast.ClassDef, Source]]]:
        found: dict[str, list[tuple[ast.ClassDef, Source]]] = {}
        for source in self.sources:
            for node in source.classes:
                found.setdefault(node.name, []).append((node, source))
        return found

    @cached_property
    def _calls_by_name(self) -> dict[str, list[tuple[Function, ast.Call]]]:
        found: dict[str, list[tuple[Function, ast.Call]]] = {}
        for function in self.functions:
            for call in function.calls:
                found.setdefault(called_name(call), []).append((function, call))
        return found

    def callees(self, call: ast.Call, function: Function) -> list[Function]:
        """Functions of the program that a call may reach; empty when too many share the name."""
        name = called_name(call)
        found = self._by_name.get(name, []) if not self._is_foreign(call.func, function.source) else []
        if isinstance(call.func, ast.Name):
            found = [f for f in found if f.owner is None]
            found = [f for f in found if f.source is function.source] or self._imported(found, function.source, name)
        elif (
            isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("self", "cls") and function.owner
        ):
            found = [f for f in found if f.owner is function.owner] or [f for f in found if f.owner is not None]
        return found if len(found) <= MAX_DEFINERS else []

    def is_only(self, function: Function) -> bool:
        """Whether no other function of the program has its name, as an override would."""
        return len(self._by_name.get(function.name.rpartition(".")[2], ())) == 1

    def _is_foreign(self, func: ast.expr, source: Source) -> bool:
        """Whether a call is of something in an imported package that is not of the program: `torch.load(...)`."""
        root = func
        while isinstance(root, ast.Attribute):
            root = root.value
        if root is func or not isinstance(root, ast.Name) or root.id not in source.aliases:
            return False
        return not self.is_own(source.aliases[root.id], source)

    def is_own(self, dotted: str, source: Source) -> bool:
        """Whether an imported name is a module of the program, or something in one."""
        module = dotted.lstrip(".")
        homes = (module, module.rpartition(".")[0])
        return any(home and self._modules.file_of(home, source.path) for home in homes)

    def _imported(self, found: list[Function], source: Source, name: str) -> list[Function]:
        full = source.aliases.get(name)
        if full is None:
            return []
        original = full.rpartition(".")[2]
        return [f for f in self._by_name.get(original, []) if f.owner is None] or found

    def callers(self, function: Function) -> list[tuple[Function, ast.Call]]:
        """Calls that may reach a function."""
        name = function.name.rpartition(".")[2]
        if not name:
            return []
        if name == "__init__" and function.owner is not None:
            return self._calls_by_name.get(function.owner.name, [])
        calls = self._calls_by_name.get(name, [])
        if len(self._by_name.get(name, ())) > MAX_DEFINERS:
            if function.owner is not None:
                return []
            here = function.source
            calls = [(f, c) for f, c in calls if f.source is here or name in f.source.aliases]
        return [(f, c) for f, c in calls if f is not function and function in self.callees(c, f)]

    def reach(self, call: ast.Call, function: Function, depth: int = 2) -> list[Function]:
        """Functions a call may run, those they call included, `depth` levels down."""
        found: list[Function] = []
        level = self.callees(call, function)
        for _ in range(depth):
            found += [f for f in level if f not in found]
            level = [g for f in level for inner in f.calls for g in self.callees(inner, f)]
        return found

    def find_class(self, name: str, source: Source | None = None) -> tuple[ast.ClassDef, Source] | None:
        """The class that `name` means in `source`; None when there is none, or several to choose from."""
        full = source.aliases.get(name, name) if source is not None else name
        module, _, plain = full.rpartition(".")
        found = self._classes.get(plain, [])
        if len(found) > 1 and source is not None:
            home = self._modules.file_of(module.lstrip("."), source.path) if module else source.path
            found = [one for one in found if one[1].path == home]
        return found[0] if len(found) == 1 else None

    def definition(self, name: str, source: Source, depth: int = 4) -> tuple[str, Source] | None:
        """Where the one thing that `name` can mean in a file is defined, and its name there.

        None when the file binds the name more than once, or imports it from outside the program.
        """
        if depth == 0 or source.bindings[name] != 1:
            return None
        full = source.aliases.get(name)
        if full is None:
            return name, source
        module, _, plain = full.rpartition(".")
        path = self._modules.file_of(_absolute(module, source.path), source.path) if module else None
        home = self._by_path.get(path or "")
        return self.definition(plain, home, depth - 1) if home is not None and home is not source else None

    @cached_property
    def _by_path(self) -> dict[str, Source]:
        return {source.path: source for source in self.sources}

    def bases(self, node: ast.ClassDef, source: Source) -> list[str]:
        """Full names of every base, those of bases in the program included."""
        found: list[str] = []
        pending = [(node, source)]
        while pending and len(found) < 50:
            current, home = pending.pop()
            for base in current.bases:
                full = home.full(base)
                found.append(full)
                inner = self.find_class(full, home) if full else None
                if inner is not None and inner[0] is not current:
                    pending.append(inner)
        return found

    def is_model(self, node: ast.ClassDef, source: Source) -> bool:
        return any(base in ("torch.nn.Module", "nn.Module", "Module", "torch.nn.Sequential") or base.endswith("LightningModule")
                   or base.endswith(".nn.Module") for base in self.bases(node, source))  # fmt: skip

    @cached_property
    def whole_models(self) -> tuple[tuple[ast.ClassDef, Source], ...]:
        """Models that are no part and no base of another."""
        models = [(c, s) for s in self.sources for c in s.classes if self.is_model(c, s)]
        used = {n.id for c, _ in models for n in ast.walk(c) if isinstance(n, ast.Name)}
        return tuple((c, s) for c, s in models if c.name not in used)

    @cached_property
    def trains(self) -> bool:
        """Whether anything here trains, itself or through a framework."""
        backward = ("backward", "manual_backward")
        return any(self.is_framework(f) or any(called_name(c) in backward for c in f.calls) for f in self.functions)

    def is_framework(self, function: Function) -> bool:
        """Whether a framework runs the loop around this method: Lightning, a Trainer's subclass, a callback."""
        if function.owner is None:
            return False
        marks = ("Lightning", "pl.", "Trainer", "Callback")
        return any(mark in base for base in self.bases(function.owner, function.source) for mark in marks)

    @cached_property
    def has_framework(self) -> bool:
        """Whether a framework may run the training loop."""
        names = {full for source in self.sources for full in source.aliases.values()}
        marks = ("lightning", "pytorch_lightning", "transformers.Trainer", "ignite", "fastai", "accelerate")
        return any(name.startswith(marks) for name in names)

    def method(self, owner: ast.ClassDef, source: Source, name: str, depth: int = 20) -> Function | None:
        """A method, looked for in the class and then in its bases, which names may make a circle."""
        own = source.methods.get((owner, name))
        if own is not None or depth == 0:
            return own
        for base in owner.bases:
            inner = self.find_class(source.full(base), source) if source.full(base) else None
            if inner is not None and inner[0] is not owner and (found := self.method(*inner, name, depth - 1)):
                return found
        return None

    def method_named(self, name: str, function: Function) -> bool:
        """Whether the class around `function` has such a method: then `self.NAME(...)` is not a call of a model."""
        return function.owner is not None and self.method(function.owner, function.source, name) is not None

    def values(self, node: ast.expr, function: Function, depth: int = 6) -> Iterator[Value]:
        """Expressions that `node` may stand for, each with the function it is written in. Flow is not followed."""
        if depth == 0:
            return
        if isinstance(node, ast.Name):
            yield from self._values_of_name(node, function, depth)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and function.owner is not None:
            yield from self._values_of_attribute(node, function, depth)
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.value, ast.Call)
        ):
            yield from self._element(node.value, node.slice.value, function, depth)
        elif isinstance(node, ast.Call):
            yield from self._values_of_call(node, function, depth)
        elif isinstance(node, ast.IfExp):
            yield from self.values(node.body, function, depth - 1)
            yield from self.values(node.orelse, function, depth - 1)
        else:
            yield node, function

    def _values_of_name(self, node: ast.Name, function: Function, depth: int) -> Iterator[Value]:
        assigned = function.assignments(node.id)
        for _, value in assigned:
            if node.id not in {n.id for n in ast.walk(value) if isinstance(n, ast.Name)} or isinstance(value, ast.Call):
                yield from self.values(value, function, depth - 1)
        if assigned:
            return
        if node.id in function.parameters:
            for caller, call in self.callers(function)[:10]:
                argument = argument_of(call, function, node.id)
                if argument is not None:
                    yield from self.values(argument, caller, depth - 1)
            return
        for outer in self._outer(function, node.id):
            for _, value in outer.assignments(node.id):
                yield from self.values(value, outer, depth - 1)

    def _outer(self, function: Function, name: str) -> list[Function]:
        """Where a name that a function does not bind may be bound: around it, in its module, in an imported module."""
        source = function.source
        around = function.name.rpartition(".")[0]
        found = [f for f in source.functions if f is not function and f.name in (around, "") and f.assignments(name)]
        full = source.aliases.get(name, "")
        home = self._modules.file_of(full.rpartition(".")[0].lstrip("."), source.path) if "." in full else None
        return found + [s.functions[0] for s in self.sources if s.path == home and name == full.rpartition(".")[2]]

    def _values_of_attribute(self, node: ast.Attribute, function: Function, depth: int) -> Iterator[Value]:
        owners: list[tuple[ast.ClassDef, Source]] = [(function.owner, function.source)] if function.owner else []
        for base in function.owner.bases if function.owner else ():
            if (full := function.source.full(base)) and (inner := self.find_class(full, function.source)):
                owners.append(inner)
        text = ast.unparse(node)
        for owner, source in owners:
            for method in source.functions:
                if method.owner is owner:
                    for _, value in method.assignments(text):
                        yield from self.values(value, method, depth - 1)

    def _values_of_call(self, node: ast.Call, function: Function, depth: int) -> Iterator[Value]:
        name = called_name(node)
        if isinstance(node.func, ast.Attribute) and name in _CHAINED:
            yield from self.values(node.func.value, function, depth - 1)
        elif name in _WRAPPERS and node.args:
            yield from self.values(node.args[0], function, depth - 1)
        else:
            yield node, function
            if self.find_class(name, function.source) is None:
                for callee in self.callees(node, function):
                    for value in callee.returns:
                        if not isinstance(value, ast.Tuple):
                            yield from self.values(value, callee, depth - 1)

    def _element(self, call: ast.Call, index: object, function: Function, depth: int) -> Iterator[Value]:
        for callee in self.callees(call, function):
            for value in callee.returns:
                if isinstance(value, ast.Tuple) and isinstance(index, int) and index < len(value.elts):
                    yield from self.values(value.elts[index], callee, depth - 1)


_CHAINED = ("to", "cuda", "cpu", "eval", "train", "double", "float", "half", "requires_grad_", "apply")
_WRAPPERS = ("DataParallel", "DistributedDataParallel", "DDP", "compile", "prepare", "prepare_model")


def called_name(call: ast.Call) -> str:
    """Last part of what is called: `backward` for `loss.backward()`; empty for a call of a call."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def receiver(call: ast.Call) -> ast.expr | None:
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def argument_of(call: ast.Call, function: Function, name: str) -> ast.expr | None:
    """What a call passes for a parameter; None when it passes nothing, or by a star."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    parameters = function.parameters
    if function.owner is not None and parameters[:1] in (("self",), ("cls",)):
        parameters = parameters[1:]
    place = parameters.index(name) if name in parameters else len(call.args)
    if place < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: place + 1]):
        return call.args[place]
    return None


def _absolute(module: str, importer: str) -> str:
    """`..a.b` as said in `x/y/z.py` -> `x.a.b`; an absolute name as it is."""
    plain = module.lstrip(".")
    level = len(module) - len(plain)
    if not level:
        return module
    folders = importer.split("/")[:-level]
    return ".".join([*folders, *([plain] if plain else [])])


def keyword_of(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)

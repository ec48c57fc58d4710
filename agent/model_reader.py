"""Reads one model's constructor with `ast` into the tree that `model_tree` describes."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from .code_map import CodeMap, Symbol
from .layer_sizes import PARAMETERS, WITHOUT, named_arguments, parameter_count, product, shape_text
from .model_tree import Layer
from .readable import UnreadableError, parse
from .roles import is_test
from .static_values import Unknown, unknown, value_of

MAX_DEPTH = 8
MAX_CALL_SITES = 5
MAX_PARTS = 300
"""Parts of one model; a machine-made constructor may have thousands."""
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
MADE_OF = ("zeros", "ones", "empty", "rand", "randn", "full")
PLAIN_BASES = ("Module", "LightningModule", "PreTrainedModel", "object", "ABC", "PyTorchModelHubMixin", "GenerationMixin")
"""Bases that have no weights of their own."""
PLAIN_CALLS = ("torch.", "math.", "numpy.", "np.", "self.", "logging.", "itertools.", "functools.", "os.", "copy.")
BUILT_IN = frozenset("int float str bool len list dict set tuple range max min sum round super isinstance getattr".split())
NAMESPACES = ("args", "opt", "opts", "options", "hparams", "config", "cfg")
"""What people call the result of `parse_args`."""
Names = dict[str, object]


class ModelReader:
    """Of one code map; files are parsed once."""

    def __init__(self, code: CodeMap) -> None:
        self._code = code
        self._module = lru_cache(maxsize=64)(self._parsed)
        self._classes: dict[str, list[str]] = {}
        for symbol in code.symbols:
            if symbol.kind == "class" and "." not in symbol.name:
                self._classes.setdefault(symbol.name, []).append(symbol.file)
        self._origins = {(one.file, one.alias): one.module.partition(".")[0] for one in code.imports}
        self._models = {(symbol.file, symbol.name) for symbol in code.with_role("model")}
        self._budget = MAX_PARTS

    def tree(self, symbol: Symbol) -> Layer | None:
        """The tree of a model: a class, a function that returns one, or a module's `model = Sequential(...)`."""
        self._budget = MAX_PARTS
        module = self._module(symbol.file)
        for node in module.body if module else ():
            if isinstance(node, ast.ClassDef) and node.name == symbol.name and symbol.kind == "class":
                return self._class(node, symbol.file, self._made_with(node, symbol.file), 0)
            if isinstance(node, ast.FunctionDef) and node.name == symbol.name and symbol.kind == "function":
                return self._function(node, symbol)
            if isinstance(node, ast.Assign) and node.lineno == symbol.line and symbol.kind == "constant":
                reading = _Reading(self, symbol.file, self.constants(symbol.file), 0)
                found = reading.layer(node.value, symbol.name)
                return replace(found, name=symbol.name) if found and found.kind in CONTAINERS else None
        return None

    def constants(self, file: str) -> Names:
        """Values of a module's own `NAME = literal`, and defaults of its command line as `args.name`."""
        names: Names = {}
        module = self._module(file)
        for node in module.body if module else ():
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                names[node.targets[0].id] = value_of(node.value, names)
        for node in ast.walk(module) if module else ():
            if isinstance(node, ast.Call) and _last(node.func) == "add_argument" and (option := _option(node)):
                names |= {f"{holder}.{option[0]}": option[1] for holder in NAMESPACES}
        return names

    def own(self, name: str, file: str) -> tuple[ast.ClassDef, str] | None:
        """The class of the repository that `name` means in `file`: there, else the only one of that name."""
        homes = self._classes.get(name, [])
        home = file if file in homes else homes[0] if len(homes) == 1 else None
        module = self._module(home) if home else None
        for node in module.body if module else ():
            if isinstance(node, ast.ClassDef) and node.name == name and home:
                return node, home
        return None

    def make(self, found: tuple[ast.ClassDef, str], call: ast.Call, names: Names, depth: int) -> Layer | None:
        """A class of the repository as a part, with the arguments it is made with; None when it is no model."""
        node, file = found
        if (file, node.name) not in self._models or depth > MAX_DEPTH:
            return None
        return self._class(node, file, _bound(_init(node), call, names), depth)

    def origin(self, file: str, alias: str) -> str:
        """The top package that a local name was imported from; empty when it was not."""
        return self._origins.get((file, alias), "")

    def spend(self) -> bool:
        self._budget -= 1
        return self._budget >= 0

    def _parsed(self, file: str) -> ast.Module | None:
        try:
            return parse(self._code.sources[file])[1]
        except (UnreadableError, KeyError):
            return None

    def _class(self, node: ast.ClassDef, file: str, given: Names, depth: int) -> Layer:
        reading = _Reading(self, file, self.constants(file) | given, depth)
        reading.bases(node)
        if (init := _init(node)) is not None:
            reading.statements(init.body)
        return _summed(Layer(node.name, node.name, file, node.lineno), reading.parts.values(), reading.complete)

    def _function(self, node: ast.FunctionDef, symbol: Symbol) -> Layer | None:
        reading = _Reading(self, symbol.file, self.constants(symbol.file) | _defaults(node), 0)
        reading.statements(node.body)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return) and inner.value is not None:
                found = reading.layer(inner.value, symbol.name)
                if found:
                    return replace(found, name=symbol.name)
        return None

    def _made_with(self, node: ast.ClassDef, file: str) -> Names:
        """Arguments of a model's constructor, from the places that spell them where those agree, else its defaults."""
        init = _init(node)
        places = [
            call for call in self._code.calls
            if call.callee.rpartition(".")[2] == node.name and not is_test(call.file) and call.file in self._code.sources
        ]  # fmt: skip
        given: list[Names] = []
        for place in places[:MAX_CALL_SITES]:
            module = self._module(place.file)
            for call in ast.walk(module) if module else ():
                same = isinstance(call, ast.Call) and call.lineno == place.line and _last(call.func) == node.name
                if isinstance(call, ast.Call) and same and not _starred(call):
                    given.append(_bound(init, call, self.constants(place.file)))
        if not given or init is None:
            return _defaults(init)
        first, *others = given
        return {name: value if all(other[name] == value for other in others) else Unknown(name)
                for name, value in first.items()}  # fmt: skip


class _Reading:
    """One constructor, statement by statement; what could not be followed makes it incomplete, never wrong."""

    def __init__(self, reader: ModelReader, file: str, names: Names, depth: int) -> None:
        self.reader = reader
        self.file = file
        self.names = names
        self.depth = depth
        self.parts: dict[str, Layer] = {}
        self.complete = True
        self._lists: dict[str, list[Layer]] = {}

    def bases(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            found = self.reader.own(_last(base), self.file)
            if found is not None and found[0] is not node and self.depth < MAX_DEPTH:
                inner = self.reader._class(*found, _defaults(_init(found[0])), self.depth + 1)
                if inner.parts or inner.parameters is None:
                    self.parts |= {part.name: part for part in inner.parts}
                    self.complete &= inner.parameters is not None
            elif _last(base) not in PLAIN_BASES and found is None:
                self.complete = False

    def statements(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            match node:
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign(target, value)
                case ast.AugAssign(target=target, op=ast.Add(), value=ast.List(elts=items)):
                    self._extend(target, [found for item in items if (found := self.layer(item, ""))])
                case ast.Expr(value=ast.Call() as call):
                    self._expression(call)
                case ast.If(test=test, body=then, orelse=other):
                    self._branch(value_of(test, self.names), then, other)
                case ast.For(iter=source, body=inner):
                    self._loop(source, inner)
                case ast.With(body=inner):
                    self.statements(inner)

    def layer(self, node: ast.expr, name: str) -> Layer | None:
        """The layer an expression makes; None when it makes none."""
        if not isinstance(node, ast.Call) or not self.reader.spend():
            return self.parts.get(ast.unparse(node)) if isinstance(node, ast.Name) else None
        kind = _last(node.func)
        here = Layer(name, kind, self.file, node.lineno)
        if kind in CONTAINERS:
            parts = list(self._items(node.args))
            return _summed(here, parts, self._complete_items(node.args))
        own = self.reader.own(kind, self.file)
        if own is not None:
            made = self.reader.make(own, node, self.names, self.depth + 1)
            return replace(made, name=name, kind=kind) if made else None
        if kind in PARAMETERS or kind in WITHOUT:
            arguments = self._arguments(kind, node)
            count = parameter_count(kind, arguments)
            shape = shape_text(kind, arguments) if kind in PARAMETERS else ""
            return replace(here, shape=shape, arguments="" if shape else _written(node), parameters=count, at_least=count or 0)
        if kind == "Parameter":
            return self._parameter(here, node)
        if kind in ("compile", "DataParallel", "DistributedDataParallel") and node.args:
            return self.layer(node.args[0], name)
        return replace(here, arguments=_written(node)) if kind[:1].isupper() and not self._standard(node.func) else None

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Attribute) and target.attr == "weight":
            self._tie(target.value, value)
            return
        place = ast.unparse(target)
        if isinstance(value, ast.List | ast.ListComp):
            self._lists[place] = list(self._items([value]))
        found = self.layer(value, place.removeprefix("self."))
        if found is not None and place.startswith("self."):
            self.parts[found.name] = found
        elif found is not None:
            self._lists[place] = [found]
        else:
            self.names[place] = value_of(value, self.names)
            if place.startswith("self.") and isinstance(value, ast.Call) and not self._plain(value):
                self.complete = False

    def _standard(self, node: ast.expr) -> bool:
        """Whether something called is of Python's own library."""
        while isinstance(node, ast.Attribute):
            node = node.value
        name = node.id if isinstance(node, ast.Name) else ""
        return self.reader.origin(self.file, name) in sys.stdlib_module_names

    def _plain(self, call: ast.Call) -> bool:
        """Whether a call that makes no layer is of a kind that has no weights."""
        text = ast.unparse(call.func)
        return self._standard(call.func) or text in BUILT_IN or text.startswith(PLAIN_CALLS) or self.reader.own(_last(call.func), self.file) is not None

    def _tie(self, one: ast.expr, value: ast.expr) -> None:
        """`self.head.weight = self.embedding.weight`: the weights are there once."""
        other = value.value if isinstance(value, ast.Attribute) else value
        first, second = (self.parts.get(ast.unparse(node).removeprefix("self.")) for node in (one, other))
        if first is None or second is None or first.parameters is None or second.parameters is None:
            self.complete = False
            return
        shared = min(first.parameters, second.parameters)
        self.parts[first.name] = replace(
            first, parameters=first.parameters - shared, at_least=first.parameters - shared,
            arguments=f"weight of {second.name}",
        )  # fmt: skip

    def _expression(self, call: ast.Call) -> None:
        match call:
            case ast.Call(func=ast.Attribute(value=owner, attr="append"), args=[item]):
                if found := self.layer(item, ""):
                    self._extend(owner, [found])
            case ast.Call(func=ast.Attribute(value=owner, attr="extend"), args=[items]):
                self._extend(owner, list(self._items([items])))
            case ast.Call(func=ast.Attribute(attr="add_module" | "register_module"), args=[ast.Constant(value=str(name)), item]):
                if found := self.layer(item, name):
                    self.parts[name] = found
            case ast.Call(func=ast.Attribute(attr="register_parameter")):
                self.complete = False

    def _extend(self, owner: ast.expr, layers: list[Layer]) -> None:
        place = ast.unparse(owner)
        kept = self.parts.get(place.removeprefix("self."))
        if kept is not None:
            self.parts[kept.name] = _summed(replace(kept, at_least=0), (*kept.parts, *layers), kept.parameters is not None)
        else:
            self._lists.setdefault(place, []).extend(layers)

    def _branch(self, test: object, then: list[ast.stmt], other: list[ast.stmt]) -> None:
        if not isinstance(test, Unknown):
            self.statements(then if test else other)
            return
        before = len(self.parts)
        self.statements(then)
        self.statements(other)
        if len(self.parts) != before:
            self.complete = False

    def _loop(self, source: ast.expr, body: list[ast.stmt]) -> None:
        """What a loop appends, as many times as it runs."""
        times = _times(source, self.names)
        before = {name: len(part.parts) for name, part in self.parts.items()}
        lists = {name: len(found) for name, found in self._lists.items()}
        self.statements(body)
        for name, part in list(self.parts.items()):
            fresh = part.parts[before.get(name, len(part.parts)) :]
            if fresh:
                kept = part.parts[: -len(fresh)]
                more = tuple(replace(one, times=times if one.times == 1 else None) for one in fresh)
                self.parts[name] = _summed(replace(part, at_least=0), (*kept, *more), True)
        for name, found in self._lists.items():
            start = lists.get(name, 0)
            found[start:] = [replace(one, times=times if one.times == 1 else None) for one in found[start:]]

    def _items(self, nodes: Sequence[ast.expr]) -> Iterator[Layer]:
        for place, node in enumerate(nodes):
            match node:
                case ast.Starred(value=inner):
                    yield from self._items([inner])
                case ast.List(elts=items) | ast.Tuple(elts=items):
                    yield from self._items(items)
                case ast.Dict(keys=keys, values=values):
                    for key, value in zip(keys, values, strict=True):
                        if found := self.layer(value, key.value if isinstance(key, ast.Constant) else ""):
                            yield found
                case ast.ListComp(elt=item, generators=[one]) | ast.GeneratorExp(elt=item, generators=[one]):
                    found = self.layer(item, str(place))
                    if found:
                        yield replace(found, times=_times(one.iter, self.names) if not one.ifs else None)
                case _ if ast.unparse(node) in self._lists:
                    yield from self._lists[ast.unparse(node)]
                case _ if found := self.layer(node, str(place)):
                    yield found

    def _complete_items(self, nodes: Sequence[ast.expr]) -> bool:
        """Whether everything a container is given could be a layer that was seen."""
        return all(
            isinstance(node, ast.Call | ast.List | ast.Tuple | ast.ListComp | ast.GeneratorExp | ast.Dict)
            or ast.unparse(node.value if isinstance(node, ast.Starred) else node) in self._lists
            or isinstance(node, ast.Starred) and isinstance(node.value, ast.List | ast.ListComp | ast.GeneratorExp)
            for node in nodes
        )  # fmt: skip

    def _arguments(self, kind: str, call: ast.Call) -> Mapping[str, object]:
        positional = [value_of(argument, self.names) for argument in call.args]
        if _starred(call):
            return {}
        return named_arguments(kind, positional, {k.arg: value_of(k.value, self.names) for k in call.keywords if k.arg})

    def _parameter(self, here: Layer, call: ast.Call) -> Layer:
        shape: object = unknown(call)
        inner = call.args[0] if call.args else None
        while isinstance(inner, ast.BinOp):  # `torch.randn(n, d) * 0.02`
            inner = inner.left if isinstance(inner.left, ast.Call) else inner.right
        if isinstance(inner, ast.Call) and _last(inner.func) in MADE_OF:
            sizes = [value_of(argument, self.names) for argument in inner.args]
            shape = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple) else tuple(sizes)
        try:
            count: int | None = product(shape)
        except TypeError:
            count = None
        text = " × ".join(str(side) for side in shape) if isinstance(shape, tuple) else ""
        return replace(here, shape=text, parameters=count, at_least=count or 0)


def _summed(layer: Layer, parts: "Sequence[Layer] | object", complete: bool) -> Layer:
    """`layer` with these parts, its weights theirs."""
    found: tuple[Layer, ...] = tuple(parts)  # type: ignore[arg-type]
    known = complete and all(part.parameters is not None and part.times is not None for part in found)
    least = sum(part.at_least * (part.times if part.times is not None else 0) for part in found)
    return replace(layer, parts=found, parameters=least if known else None, at_least=least)


def _times(source: ast.expr, names: Names) -> int | None:
    """How often a loop over `source` runs."""
    if isinstance(source, ast.Call) and _last(source.func) == "range" and len(source.args) == 1:
        value = value_of(source.args[0], names)
        return value if isinstance(value, int) and 0 <= value <= 10**6 else None
    value = value_of(source, names)
    return len(value) if isinstance(value, tuple) else None


def _init(node: ast.ClassDef) -> ast.FunctionDef | None:
    wanted = (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name in ("__init__", "setup"))
    return next(wanted, None)


def _defaults(init: ast.FunctionDef | None) -> Names:
    """Parameters by name: the default where there is one, else unknown."""
    if init is None:
        return {}
    args = init.args
    plain = [*args.posonlyargs, *args.args]
    names: Names = {one.arg: Unknown(one.arg) for one in (*plain, *args.kwonlyargs)}
    for one, default in zip(reversed(plain), reversed(args.defaults), strict=False):
        names[one.arg] = value_of(default, {})
    for one, given in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        if given is not None:
            names[one.arg] = value_of(given, {})
    return names


def _bound(init: ast.FunctionDef | None, call: ast.Call, names: Names) -> Names:
    """Parameters of a constructor by name, as one call gives them."""
    found = _defaults(init)
    order = [name for name in found if name != "self"]
    if _starred(call):
        return {name: Unknown(name) for name in found}
    found |= {name: value_of(argument, names) for name, argument in zip(order, call.args, strict=False)}
    return found | {k.arg: value_of(k.value, names) for k in call.keywords if k.arg}


def _starred(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args) or any(k.arg is None for k in call.keywords)


def _option(call: ast.Call) -> tuple[str, object] | None:
    """Name and default of an option of argparse."""
    flags = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    default = next((k.value for k in call.keywords if k.arg == "default"), None)
    if not flags or default is None:
        return None
    long = next((flag for flag in flags if flag.startswith("--")), flags[0])
    return long.lstrip("-").replace("-", "_"), value_of(default, {})


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _written(call: ast.Call) -> str:
    words = [ast.unparse(argument) for argument in call.args]
    words += [f"{k.arg}={ast.unparse(k.value)}" if k.arg else f"**{ast.unparse(k.value)}" for k in call.keywords]
    return " ".join(", ".join(words).split())[:80]

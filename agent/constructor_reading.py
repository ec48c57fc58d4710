"""Reads one constructor with `ast`, statement by statement, into the layers it makes.

What cannot be followed makes the reading incomplete, and what hangs on it unknown: a count is right or is not given.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .constructors import Names, assigned, bound, constructor, defaults, items_of, last, starred, used, written
from .layer_parts import is_whole, repeated, summed, with_part
from .layer_sizes import PARAMETERS, WITHOUT, named_arguments, parameter_count, product, shape_text
from .model_tree import Layer
from .static_values import Unknown, unknown, value_of
from .words import words

if TYPE_CHECKING:
    from .model_reader import ModelReader

MAX_UNROLLED = 64
MAX_METHODS = 4
"""Methods that call methods, from a constructor on."""
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
NAMESPACES = ("args", "opt", "opts", "options", "hparams", "config", "cfg")
"""What people call the result of `parse_args`, or a configuration."""
MADE_OF = ("zeros", "ones", "empty", "rand", "randn", "full")
PLAIN_BASES = (
    "Module",
    "LightningModule",
    "PreTrainedModel",
    "object",
    "ABC",
    "PyTorchModelHubMixin",
    "GenerationMixin",
)
"""Bases that have no weights of their own."""
PLAIN_CALLS = ("torch.", "math.", "numpy.", "np.", "logging.", "F.")
BUILT_IN = frozenset(
    "int float str bool len list dict set tuple range max min sum round isinstance getattr zip".split()
)
PASSED = frozenset(
    "model module net network encoder decoder backbone layer layers block blocks head embedding norm base".split()
)
"""Words of parameters that are given whole modules."""
Compound = ast.While | ast.Try | ast.Match | ast.AsyncFor | ast.AsyncWith


class Reading:
    def __init__(
        self, reader: "ModelReader", file: str, names: Names, depth: int, owner: ast.ClassDef | None = None
    ) -> None:
        self.reader = reader
        self.file = file
        self.names = names
        self.depth = depth
        self.owner = owner
        self.parts: dict[str, Layer] = {}
        self.complete = True
        self._lists: dict[str, list[Layer]] = {}
        self._methods = 0

    def constructor(self) -> None:
        """Reads the bases, then the constructor's own statements."""
        assert self.owner is not None  # noqa: S101
        made_by = constructor(self.owner)
        for base in self.owner.bases:
            found = self.reader.own(base, self.file)
            if found is None:
                self.complete &= last(base) in PLAIN_BASES
            elif found[0] is not self.owner and self.depth < 8:
                inner = self.reader.model(*found, self._passed_up(found, made_by), self.depth + 1)
                self.parts |= {part.name: part for part in inner.parts}
                self.complete &= inner.parameters is not None or bool(inner.parts)
            else:
                self.complete = False
        if made_by is not None:
            self.statements(made_by.body)

    def statements(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            match node:
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, value)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._assign(target, value)
                case ast.AugAssign(target=target, op=op, value=value):
                    self._augment(target, op, value)
                case ast.Expr(value=ast.Call() as call):
                    self._expression(call)
                case ast.If(test=test, body=then, orelse=other):
                    self._branch(value_of(test, self.names), then, other)
                case ast.For(target=target, iter=source, body=inner):
                    self._loop(target, source, inner)
                case ast.With(body=inner):
                    self.statements(inner)
                case ast.While() | ast.Try() | ast.Match() | ast.Assign():
                    self._forget(assigned([node]))
                    self.complete = False

    def layer(self, node: ast.expr, name: str) -> Layer | None:
        """The layer an expression makes; None when it makes none that can be told."""
        if isinstance(node, ast.IfExp):
            test = value_of(node.test, self.names)
            return None if isinstance(test, Unknown) else self.layer(node.body if test else node.orelse, name)
        if not isinstance(node, ast.Call):
            kept = self._lists.get(ast.unparse(node), []) if isinstance(node, ast.Name) else []
            return kept[0] if len(kept) == 1 else None
        if not self.reader.spend():
            self.complete = False
            return None
        kind = last(node.func)
        here = Layer(name, kind, self.file, node.lineno)
        if own := self.reader.own(node.func, self.file):
            made = self.reader.make(own, node, self.names, self.depth + 1)
            return replace(made, name=name, kind=kind) if made else None
        if kind in CONTAINERS:
            return summed(here, *self._items(node.args))
        if kind in PARAMETERS or kind in WITHOUT:
            arguments = self._arguments(kind, node)
            count = parameter_count(kind, arguments)
            shape = shape_text(kind, arguments)
            return replace(
                here, shape=shape, arguments="" if shape else written(node), parameters=count, at_least=count or 0
            )
        if kind == "Parameter":
            return self._parameter(here, node)
        if kind in ("compile", "DataParallel", "DistributedDataParallel") and node.args:
            return self.layer(node.args[0], name)
        foreign = kind[:1].isupper() and not self.reader.is_standard(node.func, self.file)
        return replace(here, arguments=written(node)) if foreign else None

    def _passed_up(self, base: tuple[ast.ClassDef, str], made_by: ast.FunctionDef | None) -> Names:
        """Arguments of a base's constructor."""
        inherited = self.reader.constructor_of(*base)
        if made_by is None:
            return {name: self.names.get(name, value) for name, value in defaults(inherited).items()}
        for node in ast.walk(made_by):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")):
                    return bound(inherited, node, self.names)
        return {name: Unknown(name) for name in defaults(inherited)}

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Attribute) and target.attr == "weight" and isinstance(target.value, ast.Attribute):
            self._tie(target.value, value)
            return
        place = ast.unparse(target)
        kept = place.startswith("self.")
        found = self.layer(value, place.removeprefix("self."))
        if isinstance(value, ast.List | ast.ListComp):
            items, whole = self._items([value])
            self._lists[place] = items
            self.complete &= whole or not items
        if isinstance(target, ast.Subscript) or (isinstance(target, ast.Tuple) and self._makes(value)):
            self.complete = False
        elif found is not None and kept:
            self.parts[found.name] = found
            return
        elif found is not None:
            self._lists[place] = [found]
            return
        elif kept and (self._makes(value) or self._is_passed(value)):
            self.complete = False
        self._name(target, value)

    def _name(self, target: ast.expr, value: ast.expr) -> None:
        worth = value_of(value, self.names)
        if isinstance(target, ast.Tuple | ast.List):
            several = worth if isinstance(worth, tuple) and len(worth) == len(target.elts) else None
            for place, inner in enumerate(target.elts):
                self.names[ast.unparse(inner)] = several[place] if several else unknown(inner)
        else:
            self.names[ast.unparse(target)] = worth

    def _augment(self, target: ast.expr, op: ast.operator, value: ast.expr) -> None:
        if isinstance(op, ast.Add) and isinstance(value, ast.List):
            items, whole = self._items([value])
            self._extend(target, items, whole)
        else:
            self.complete &= not self._makes(value)
            self.names[ast.unparse(target)] = value_of(ast.BinOp(_read(target), op, value), self.names)

    def _makes(self, value: ast.expr) -> bool:
        """Whether something that is no layer we can tell may still have weights: any call of what we do not know."""
        return any(isinstance(node, ast.Call) and not self._plain(node) for node in ast.walk(value))

    def _plain(self, call: ast.Call) -> bool:
        text = ast.unparse(call.func)
        standard = self.reader.is_standard(call.func, self.file) and not text.startswith("copy")
        own = self.reader.own(call.func, self.file)
        if own is not None:
            return self.reader.make(own, call, self.names, 99) is None
        return standard or text in BUILT_IN or (text.startswith(PLAIN_CALLS) and not text.startswith("torch.nn."))

    def _is_passed(self, value: ast.expr) -> bool:
        """Whether a value may be a module that the caller made."""
        return isinstance(value, ast.Name) and bool(PASSED & set(words(value.id)))

    def _tie(self, one: ast.expr, value: ast.expr) -> None:
        """`self.head.weight = self.embedding.weight`: the weights are there once."""
        other = value.value if isinstance(value, ast.Attribute) else value
        first, second = (self._part(node) for node in (one, other))
        if first is None or second is None or first.parameters is None or second.parameters is None:
            self.complete = False
            return
        left = first.parameters - min(first.parameters, second.parameters)
        told = f"weight of {ast.unparse(other).removeprefix('self.')}"
        path = ast.unparse(one).removeprefix("self.").split(".")
        tied = replace(first, parameters=left, at_least=left, arguments=told)
        self.parts[path[0]] = with_part(self.parts[path[0]], path[1:], tied)

    def _part(self, node: ast.expr) -> Layer | None:
        """The part that `self.a` or `self.a.b` means."""
        first, *rest = ast.unparse(node).removeprefix("self.").split(".")
        found = self.parts.get(first)
        for name in rest:
            found = next((part for part in found.parts if part.name == name), None) if found else None
        return found

    def _expression(self, call: ast.Call) -> None:
        match call:
            case ast.Call(func=ast.Attribute(value=owner, attr="append"), args=[item]):
                found = self.layer(item, "")
                self._extend(owner, [found] if found else [], found is not None or not self._makes(item))
            case ast.Call(func=ast.Attribute(value=owner, attr="extend"), args=[items]):
                self._extend(owner, *self._items([items]))
            case ast.Call(
                func=ast.Attribute(attr="add_module" | "register_module"), args=[ast.Constant(value=str(name)), item]
            ):
                found = self.layer(item, name)
                self.complete &= found is not None
                self.parts |= {name: found} if found else {}
            case ast.Call(func=ast.Attribute(attr="add_module" | "register_module" | "register_parameter")):
                self.complete = False
            case ast.Call(func=ast.Name(id="setattr")):
                self.complete = False
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                self._method(name, call)

    def _method(self, name: str, call: ast.Call) -> None:
        """A method of the class itself, called by its constructor, may make layers too."""
        methods = [one for one in self.owner.body if isinstance(one, ast.FunctionDef)] if self.owner else []
        for method in methods:
            if method.name == name:
                self._methods += 1
                if self._methods <= MAX_METHODS:
                    around = dict(self.names)
                    self.names |= bound(method, call, around)
                    self.statements(method.body)
                else:
                    self.complete = False

    def _extend(self, owner: ast.expr, layers: list[Layer], whole: bool) -> None:
        place = ast.unparse(owner)
        kept = self.parts.get(place.removeprefix("self."))
        if kept is not None:
            self.parts[kept.name] = summed(kept, (*kept.parts, *layers), whole and is_whole(kept))
        elif layers or place in self._lists:
            self._lists.setdefault(place, []).extend(layers)
            self.complete &= whole

    def _branch(self, test: object, then: list[ast.stmt], other: list[ast.stmt]) -> None:
        if not isinstance(test, Unknown):
            self.statements(then if test else other)
            return
        before, lists = dict(self.parts), {name: len(found) for name, found in self._lists.items()}
        self.statements(then)
        self.statements(other)
        same = before == self.parts and lists == {name: len(found) for name, found in self._lists.items()}
        self.complete &= same
        self._forget(assigned([*then, *other]))

    def _loop(self, target: ast.expr, source: ast.expr, body: list[ast.stmt]) -> None:
        """A loop whose turns differ is gone through; one whose turns are alike, or too many, is read once."""
        items = items_of(source, self.names)
        changing = assigned(body) | {ast.unparse(target)}
        if items is not None and len(items) <= MAX_UNROLLED and changing & used(body):
            for item in items:
                self.names[ast.unparse(target)] = item
                self.statements(body)
            return
        self._forget(changing)
        before = {name: len(part.parts) for name, part in self.parts.items()}
        lists = {name: len(found) for name, found in self._lists.items()}
        known = set(self.parts)
        self.statements(body)
        times = len(items) if items is not None else None
        for name, part in self.parts.items():
            start = before.get(name, len(part.parts))
            more = repeated(part.parts[start:], times)
            if name in known and more:
                self.parts[name] = summed(part, (*part.parts[:start], *more), is_whole(part))
        for name, found in self._lists.items():
            found[lists.get(name, 0) :] = repeated(found[lists.get(name, 0) :], times)
        self._forget(changing)

    def _forget(self, places: Iterable[str]) -> None:
        self.names |= {place: Unknown(place) for place in places}

    def _items(self, nodes: Sequence[ast.expr]) -> tuple[list[Layer], bool]:
        """Layers of the items of a container, and whether every item was one."""
        found: list[Layer] = []
        complete = True
        for place, node in enumerate(nodes):
            some, whole = self._item(node, str(place))
            found += some
            complete &= whole
        return found, complete

    def _item(self, node: ast.expr, name: str) -> tuple[list[Layer], bool]:
        match node:
            case ast.Starred(value=inner):
                return self._item(inner, name)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return self._items(items)
            case ast.ListComp(elt=item, generators=[one]) | ast.GeneratorExp(elt=item, generators=[one]):
                return self._comprehended(item, one, name)
        if (place := ast.unparse(node)) in self._lists:
            return self._lists[place], True
        pairs = list(_pairs(node))
        if pairs:
            rows = [self.layer(value, key) for key, value in pairs]
            found = [layer for layer in rows if layer]
            return found, len(found) == len(rows)
        layer = self.layer(node, name)
        return ([layer], True) if layer else ([], False)

    def _comprehended(self, item: ast.expr, source: ast.comprehension, name: str) -> tuple[list[Layer], bool]:
        items = items_of(source.iter, self.names) if not source.ifs else None
        target = ast.unparse(source.target)
        around = dict(self.names)
        if items is not None and len(items) <= MAX_UNROLLED and target in used([item]):
            found: list[Layer] = []
            whole = True
            for number, value in enumerate(items):
                self.names[target] = value
                some, all_of_it = self._item(item, str(number))
                found, whole = found + some, whole and all_of_it
        else:
            self._forget([target])
            some, whole = self._item(item, name)
            found = repeated(some, len(items) if items is not None else None)
        self.names = around
        return found, whole

    def _arguments(self, kind: str, call: ast.Call) -> Mapping[str, object]:
        if starred(call):
            return {}
        positional = [value_of(argument, self.names) for argument in call.args]
        return named_arguments(kind, positional, {k.arg: value_of(k.value, self.names) for k in call.keywords if k.arg})

    def _parameter(self, here: Layer, call: ast.Call) -> Layer:
        shape: object = unknown(call)
        inner = call.args[0] if call.args else None
        while isinstance(inner, ast.BinOp):  # `torch.randn(n, d) * 0.02`
            inner = inner.left if isinstance(inner.left, ast.Call) else inner.right
        if isinstance(inner, ast.Call) and last(inner.func) in MADE_OF and not starred(inner):
            sizes = [
                value_of(one, self.names)
                for one in (*inner.args, *(k.value for k in inner.keywords if k.arg == "size"))
            ]
            shape = sizes[0] if sizes and isinstance(sizes[0], tuple) else tuple(sizes) or shape
        try:
            count: int | None = product(shape)
        except TypeError:
            count = None
        text = " × ".join(str(side) for side in shape) if isinstance(shape, tuple) else ""
        return replace(here, shape=text, parameters=count, at_least=count or 0)


def _pairs(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of a dictionary, as it is written in code."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                yield (str(key.value) if isinstance(key, ast.Constant) else ""), value
        case ast.Call(func=ast.Name(id="dict" | "OrderedDict"), args=[], keywords=given):
            yield from ((pair.arg or "", pair.value) for pair in given)
        case ast.Call(func=ast.Name(id="OrderedDict"), args=[ast.List(elts=rows)]):
            for row in rows:
                match row:
                    case ast.Tuple(elts=[ast.Constant(value=name), value]):
                        yield str(name), value
                    case _:
                        yield "", row


def _read(target: ast.expr) -> ast.expr:
    """A target as an expression to read."""
    return ast.parse(ast.unparse(target), mode="eval").body

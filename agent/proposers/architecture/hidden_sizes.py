"""Finds where the hidden sizes that reach a model's constructor are written."""

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ...code_map import CodeMap
from ...dotted import dotted_name
from ...operators.module_place import find_definition, method, parameters
from .dense_model import DenseModel
from .reconstruction import functions

HOPS = 3


@dataclass(frozen=True, slots=True)
class WrittenSizes:
    file: str
    function: str
    """Innermost function around it, empty at the top of the file."""
    text: str


@dataclass(frozen=True, slots=True)
class _Binding:
    """A value given a name: by an assignment, a keyword, a dictionary's key, a default, a command-line option."""

    name: str
    value: cst.BaseExpression


def written_sizes(code: CodeMap, model: DenseModel) -> tuple[WrittenSizes, ...]:
    """Lists and tuples of two or more sizes that are bound to the constructor's parameter, or to a name or attribute
    that is passed on to it. Names are followed, not scopes: an edit that hits a namesake costs a trial, no more."""
    if model.sizes_parameter is None:
        return ()
    init = method_of(code, model)
    position = parameters(init).index(model.sizes_parameter) - 1
    carriers = {model.sizes_parameter}
    bindings = [
        (file, function, binding)
        for file in code.python_files
        for function, binding in _bindings(code.module(file), model.name, model.sizes_parameter, position)
    ]
    found: dict[tuple[str, str, str], None] = {}
    for _ in range(HOPS):
        for file, function, binding in bindings:
            if binding.name not in carriers:
                continue
            value = _unwrapped(binding.value)
            if isinstance(value, cst.List | cst.Tuple) and _is_sizes(value):
                found[file, function, code.module(file).code_for_node(value)] = None
            elif text := dotted_name(value):
                carriers.add(text.split(".")[-1])
    return tuple(WrittenSizes(*place) for place in found)


def method_of(code: CodeMap, model: DenseModel) -> cst.FunctionDef:
    definition = cst.ensure_type(find_definition(code.module(model.file), model.name), cst.ClassDef)
    return cst.ensure_type(method(definition, "__init__"), cst.FunctionDef)


def _is_sizes(value: cst.List | cst.Tuple) -> bool:
    elements = [element.value for element in value.elements]
    return len(elements) > 1 and all(isinstance(e, cst.Integer) or dotted_name(e) for e in elements)


def _unwrapped(value: cst.BaseExpression) -> cst.BaseExpression:
    """The list inside `list(...)`, `tuple(...)` and `field(default_factory=lambda: ...)`."""
    if isinstance(value, cst.Lambda):
        return _unwrapped(value.body)
    if isinstance(value, cst.Call) and len(value.args) == 1 and dotted_name(value.func).split(".")[-1] in (
        "list", "tuple", "field",
    ):  # fmt: skip
        return _unwrapped(value.args[0].value)
    return value


def _bindings(module: cst.Module, model: str, parameter: str, position: int) -> Iterator[tuple[str, _Binding]]:
    scopes: list[tuple[str, cst.CSTNode]] = [("", module), *functions(module)]
    nodes = {id(node) for _, node in scopes}
    for function, place in scopes:
        collect = _Collect(place, nodes, model, parameter, position)
        place.visit(collect)
        yield from ((function, binding) for binding in collect.found)


class _Collect(cst.CSTVisitor):
    def __init__(self, place: cst.CSTNode, scopes: set[int], model: str, parameter: str, position: int) -> None:
        super().__init__()
        self._place, self._scopes = place, scopes
        self._model, self._parameter, self._position = model, parameter, position
        self.found: list[_Binding] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        # A function nested in this place is a scope of its own.
        return super().on_visit(node) and (node is self._place or id(node) not in self._scopes)

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if text := dotted_name(target.target):
                self.found.append(_Binding(text.split(".")[-1], node.value))

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None and (text := dotted_name(node.target)):
            self.found.append(_Binding(text.split(".")[-1], node.value))

    def visit_Param(self, node: cst.Param) -> None:
        if node.default is not None:
            self.found.append(_Binding(node.name.value, node.default))

    def visit_DictElement(self, node: cst.DictElement) -> None:
        if isinstance(node.key, cst.SimpleString):
            self.found.append(_Binding(str(node.key.evaluated_value), node.value))

    def visit_Call(self, node: cst.Call) -> None:
        called = dotted_name(node.func).split(".")[-1]
        self.found.extend(_Binding(a.keyword.value, a.value) for a in node.args if a.keyword is not None)
        if called == self._model:
            positional = [arg for arg in node.args if arg.keyword is None and not arg.star]
            if self._position < len(positional):
                self.found.append(_Binding(self._parameter, positional[self._position].value))
        if called == "add_argument":
            self.found.extend(_option_default(node))


def _option_default(node: cst.Call) -> list[_Binding]:
    flags = [str(a.value.evaluated_value) for a in node.args if isinstance(a.value, cst.SimpleString) and not a.keyword]
    default = [a.value for a in node.args if a.keyword is not None and a.keyword.value == "default"]
    return [_Binding(flag.lstrip("-").replace("-", "_"), value) for flag in flags for value in default]

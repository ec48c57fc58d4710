"""Finds model classes of linear layers that give out as many numbers as they take in."""

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from ...dotted import dotted_name
from ...operators.imported_names import ImportedNames
from ...operators.layer_stack import calls_of, is_linear, linear_layers, width
from ...operators.module_place import definitions_in, loaded_names, method, parameters

# A model with one of these reads more than one vector of numbers.
NOT_DENSE = ("Conv", "Embedding", "LSTM", "GRU", "RNN", "Transformer", "MultiheadAttention", "Upsample")
LOOPS = (cst.For, cst.ListComp, cst.GeneratorExp)


@dataclass(frozen=True, slots=True)
class DenseModel:
    file: str
    name: str
    line: int
    width: str
    """Source of the number of items, as the constructor writes it."""
    width_from_parameters: bool
    sizes_parameter: str | None
    """The constructor's parameter that lists the hidden sizes."""
    stacks: bool
    """Whether a written-out stack of layers could lose one."""
    input: str
    """The argument of `forward`."""
    squashed: bool
    """Whether the output ends in a sigmoid, so is no logit."""
    normalised: bool
    methods: frozenset[str]
    """Methods beside the constructor and `forward`."""


def dense_models(file: str, module: cst.Module) -> Iterator[DenseModel]:
    names = ImportedNames(module)
    for node in definitions_in(module):
        if isinstance(node, cst.ClassDef) and any(names.full(b.value) == "torch.nn.Module" for b in node.bases):
            model = _dense_model(file, module, names, node)
            if model is not None:
                yield model


def _dense_model(file: str, module: cst.Module, names: ImportedNames, node: cst.ClassDef) -> DenseModel | None:
    init, forward = method(node, "__init__"), method(node, "forward")
    if init is None or forward is None or len(parameters(forward)) != 2:
        return None
    used = [names.full(call.func) for call in _calls(node)]
    if any(name.startswith("torch.nn.") and name.split(".")[-1].startswith(NOT_DENSE) for name in used):
        return None
    ends = _ends_by_list(module, init, names) or _ends_by_layers(module, init, names)
    if ends is None:
        return None
    size, sizes_parameter = ends
    stacks = calls_of(init, names, "torch.nn.Sequential")
    position = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)[node]
    return DenseModel(
        file=file,
        name=node.name.value,
        line=int(position.start.line),
        width=module.code_for_node(size),
        width_from_parameters=set(loaded_names(size)) <= set(parameters(init)),
        sizes_parameter=sizes_parameter,
        stacks=_can_shorten(module, stacks, names),
        input=parameters(forward)[1],
        squashed=any(name.split(".")[-1] in ("Sigmoid", "sigmoid") for name in used),
        normalised="torch.nn.functional.normalize" in used,
        methods=frozenset(d.name.value for d in definitions_in(node) if d.name.value not in ("__init__", "forward")),
    )


def _ends_by_list(
    module: cst.Module, init: cst.FunctionDef, names: ImportedNames
) -> tuple[cst.BaseExpression, str | None] | None:
    """From a list of widths, `[n, *hidden, n]` or `[n] + hidden + [n]`, that a loop makes linear layers of."""
    loops = [loop for loop in _nodes(init, LOOPS) if calls_of(loop, names, "torch.nn.Linear")]
    if not loops:
        return None
    for widths in _nodes(init, (cst.List, cst.Tuple, cst.BinaryOperation)):
        parts = _parts(widths)
        if len(parts) < 3 or module.code_for_node(parts[0]) != module.code_for_node(parts[-1]):
            continue
        between = [name for part in parts[1:-1] for name in loaded_names(part)]
        hidden = next((name for name in between if name in parameters(init)), None)
        return parts[0], hidden
    return None


def _parts(widths: cst.CSTNode) -> list[cst.BaseExpression]:
    """Elements of a list, of lists added to each other, and whatever stands between them."""
    if isinstance(widths, cst.List | cst.Tuple):
        return [element.value for element in widths.elements]
    if isinstance(widths, cst.BinaryOperation) and isinstance(widths.operator, cst.Add):
        return [*_parts(widths.left), *_parts(widths.right)]
    return [widths] if isinstance(widths, cst.BaseExpression) else []


def _ends_by_layers(
    module: cst.Module, init: cst.FunctionDef, names: ImportedNames
) -> tuple[cst.BaseExpression, str | None] | None:
    """From linear layers written one by one."""
    layers = [call for call in calls_of(init, names, "torch.nn.Linear") if is_linear(call, names)]
    if len(layers) < 2 or any(calls_of(loop, names, "torch.nn.Linear") for loop in _nodes(init, LOOPS)):
        return None
    first, last = width(layers[0], 0), width(layers[-1], 1)
    return (first, None) if module.code_for_node(first) == module.code_for_node(last) else None


def _can_shorten(module: cst.Module, stacks: list[cst.Call], names: ImportedNames) -> bool:
    for stack in stacks:
        layers = linear_layers(stack, names)
        if len(layers) < 2:
            continue
        ends = width(stack.args[layers[0]].value, 0), width(stack.args[layers[-1]].value, 1)
        if len(layers) > 2 or module.code_for_node(ends[0]) != module.code_for_node(ends[1]):
            return True
    return False


def _calls(place: cst.CSTNode) -> list[cst.Call]:
    return [node for node in _nodes(place, (cst.Call,)) if isinstance(node, cst.Call) and dotted_name(node.func)]


def _nodes(place: cst.CSTNode, kinds: tuple[type[cst.CSTNode], ...]) -> list[cst.CSTNode]:
    """Nodes of these types inside `place`, outer ones first."""
    found: list[cst.CSTNode] = []

    class Collect(cst.CSTVisitor):
        def on_visit(self, node: cst.CSTNode) -> bool:
            if isinstance(node, kinds):
                found.append(node)
            return True

    place.visit(Collect())
    return found

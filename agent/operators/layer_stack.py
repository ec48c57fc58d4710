"""Stacks of linear layers written as `nn.Sequential(nn.Linear(...), ...)`: how they are read and shortened."""

from collections.abc import Mapping, Sequence

import libcst as cst

from ...targets.errors import OperatorError
from .imported_names import ImportedNames


def narrowest(widths: Sequence[cst.BaseExpression]) -> int:
    """Position of the smallest width; of the middle one when they are not all numbers."""
    numbers = [int(width.value) for width in widths if isinstance(width, cst.Integer)]
    return numbers.index(min(numbers)) if len(numbers) == len(widths) else len(widths) // 2


def shorten_stacks(module: cst.Module, place: cst.CSTNode) -> cst.Module:
    """`module` with every stack inside `place` that can lose a layer cut down. OperatorError when none can."""
    names = ImportedNames(module)
    stacks = [(stack, _shorten(module, stack, names)) for stack in calls_of(place, names, "torch.nn.Sequential")]
    shorter = {stack: new for stack, new in stacks if new is not None}
    if not shorter:
        raise OperatorError("no stack of linear layers that could lose one")
    return module.visit(_Replace(shorter))


class _Replace(cst.CSTTransformer):
    """All at once: a replacement rebuilds the tree, after which nodes found before are no longer in it."""

    def __init__(self, new: Mapping[cst.Call, cst.Call]) -> None:
        super().__init__()
        self._new = new

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        return self._new.get(original_node, updated_node)


def calls_of(place: cst.CSTNode, names: ImportedNames, full: str) -> list[cst.Call]:
    """Calls of the function or class with that full name inside `place`, in order."""
    found: list[cst.Call] = []

    class Collect(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            if names.full(node.func) == full:
                found.append(node)

    place.visit(Collect())
    return found


def linear_layers(stack: cst.Call, names: ImportedNames) -> list[int]:
    """Positions of the linear layers; none when something in the stack is not a plain call of a module."""
    if not all(isinstance(arg.value, cst.Call) and not arg.star for arg in stack.args):
        return []
    return [i for i, arg in enumerate(stack.args) if is_linear(arg.value, names)]


def is_linear(node: cst.BaseExpression, names: ImportedNames) -> bool:
    """Whether `node` makes a linear layer with both widths written out."""
    return (
        isinstance(node, cst.Call)
        and names.full(node.func) == "torch.nn.Linear"
        and len(node.args) >= 2
        and not any(arg.star for arg in node.args)
    )


def width(layer: cst.BaseExpression, position: int) -> cst.BaseExpression:
    """The in (0) or out (1) width of a linear layer."""
    call = cst.ensure_type(layer, cst.Call)
    keyword = ("in_features", "out_features")[position]
    named = next((arg.value for arg in call.args if arg.keyword is not None and arg.keyword.value == keyword), None)
    return named if named is not None else call.args[position].value


def _shorten(module: cst.Module, stack: cst.Call, names: ImportedNames) -> cst.Call | None:
    """The stack with one hidden layer, or with none when it is half of a model; None when there is none to lose."""
    layers = linear_layers(stack, names)
    if len(layers) < 2:
        return None
    first, last = stack.args[layers[0]], stack.args[layers[-1]]
    outer = width(first.value, 0), width(last.value, 1)
    head, tail = stack.args[: layers[0]], stack.args[layers[-1] + 1 :]
    if module.code_for_node(outer[0]) != module.code_for_node(outer[1]):
        return stack.with_changes(args=[*head, _resized(last, *outer), *tail])
    if len(layers) < 3:
        return None
    hidden = [width(stack.args[i].value, 1) for i in layers[:-1]]
    kept = narrowest(hidden)
    between = stack.args[layers[kept] + 1 : layers[kept + 1]]
    middle = [_resized(first, outer[0], hidden[kept]), *between, _resized(last, hidden[kept], outer[1])]
    return stack.with_changes(args=[*head, *middle, *tail])


def _resized(layer: cst.Arg, wide_in: cst.BaseExpression, wide_out: cst.BaseExpression) -> cst.Arg:
    call = cst.ensure_type(layer.value, cst.Call)
    order = ("in_features", "out_features")
    args = []
    for i, arg in enumerate(call.args):
        keyword = arg.keyword.value if arg.keyword is not None else (*order, "bias")[min(i, 2)]
        value = dict(zip(order, (wide_in, wide_out), strict=True)).get(keyword, arg.value)
        args.append(arg.with_changes(value=value))
    return layer.with_changes(value=call.with_changes(args=args))

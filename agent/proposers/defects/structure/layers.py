"""The layers a model is made of: the attributes that hold them, and the calls that make them."""

import ast
from dataclasses import dataclass

from ..program import Program, called_name
from ..source import Function, Source

NO_WEIGHTS = frozenset(
    "Identity ReLU ReLU6 LeakyReLU GELU SiLU ELU Tanh Sigmoid Softmax LogSoftmax Dropout Dropout2d Dropout3d Flatten "
    "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool2d AdaptiveMaxPool2d Upsample "
    "ZeroPad2d ReflectionPad2d PixelShuffle Hardswish Mish Softplus".split()
)
CONTAINERS = frozenset("Sequential ModuleList ModuleDict".split())
NOT_LAYERS = frozenset("Parameter Buffer ParameterList ParameterDict UninitializedParameter".split())


@dataclass(frozen=True)
class Layer:
    """`self.NAME = made`, in a method of a model."""

    name: str
    made: ast.Call
    statement: ast.stmt
    function: Function


def torch_layer(call: ast.Call, function: Function) -> str:
    """The class of `torch.nn` that a call makes, losses excluded; empty for anything else."""
    full = function.source.full(call.func)
    module, _, name = full.rpartition(".")
    if module not in ("torch.nn", "nn") and not module.startswith("torch.nn.modules"):
        return ""
    return "" if not name[:1].isupper() or name.endswith("Loss") or name in NOT_LAYERS else name


def makes_layer(call: ast.Call, function: Function, program: Program) -> bool:
    if torch_layer(call, function):
        return True
    found = program.find_class(called_name(call), function.source)
    return found is not None and "Loss" not in found[0].name and program.is_model(*found)


def has_weights(call: ast.Call, function: Function, program: Program, depth: int = 3) -> bool:
    """Whether a call makes a layer with parameters; for a class of the program, whether it makes any in turn."""
    if torch_layer(call, function):
        return called_name(call) not in NO_WEIGHTS
    found = program.find_class(called_name(call), function.source)
    if found is None or depth == 0 or not makes_layer(call, function, program):
        return False
    inner = [(made, one) for one in methods(*found) for made in one.calls]
    if any(called_name(made) in ("Parameter", "register_parameter") for made, _ in inner):
        return True
    return any(has_weights(made, one, program, depth - 1) for made, one in inner)


def methods(owner: ast.ClassDef, source: Source) -> list[Function]:
    return [function for function in source.functions if function.owner is owner]


def layers_of(owner: ast.ClassDef, source: Source, program: Program) -> list[Layer]:
    """Every `self.NAME = Layer(...)` in the class's own methods, in order."""
    found: list[Layer] = []
    for function in methods(owner, source):
        for node in function.own:
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or len(node.targets) != 1:
                continue
            target = node.targets[0]
            if not isinstance(target, ast.Attribute) or ast.unparse(target.value) != "self":
                continue
            if makes_layer(node.value, function, program):
                found.append(Layer(target.attr, node.value, node, function))
    return found

"""A stack of hidden layers becomes one hidden layer."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import only
from .expressions import expressions_written
from .layer_stack import narrowest, shorten_stacks
from .module_place import find_definition


class RemoveHiddenLayers:
    """Keeps one hidden size of the list or tuple `sizes` written inside a symbol: the narrowest, else the middle one.

    Without the argument `sizes` the symbol is a class, and its `nn.Sequential` stacks of linear layers are shortened:
    a stack that ends at the width it began with keeps its narrowest layer, any other becomes a single layer.
    """

    name = "remove_hidden_layers"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "sizes")
        place = find_definition(module, symbol)
        if "sizes" not in args:
            return shorten_stacks(module, place)
        found = expressions_written(module, place, args["sizes"])
        if len(found) != 1:
            raise OperatorError(
                "the sizes must be written once there", wanted=args["sizes"], found=f"{len(found)} times"
            )
        sizes = found[0]
        if not isinstance(sizes, cst.List | cst.Tuple) or len(sizes.elements) < 2:
            raise OperatorError("not a list of two or more hidden sizes", found=args["sizes"])
        # A tuple of one needs its comma.
        comma = cst.Comma() if isinstance(sizes, cst.Tuple) else cst.MaybeSentinel.DEFAULT
        kept = sizes.elements[narrowest([element.value for element in sizes.elements])].with_changes(comma=comma)
        return cst.ensure_type(module.deep_replace(sizes, sizes.with_changes(elements=[kept])), cst.Module)

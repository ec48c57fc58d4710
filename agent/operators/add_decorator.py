"""Adds a decorator to a function or class."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import expression, normal_expression, only, required
from .definitions import Place, edit_definition


class AddDecorator:
    """Arguments: `decorator`, the expression after the `@`. It goes nearest to the definition."""

    name = "add_decorator"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "decorator")
        text = required(args, "decorator")
        decorator = cst.Decorator(expression(text))
        if not symbol:
            raise OperatorError("a module takes no decorator")

        def change(place: Place) -> Place:
            if isinstance(place, cst.Module):
                raise OperatorError("a module takes no decorator")
            there = {normal_expression(module.code_for_node(d.decorator)) for d in place.decorators}
            if normal_expression(text) in there:
                raise OperatorError("the decorator is already there", where=symbol, found=text)
            return place.with_changes(decorators=[*place.decorators, decorator])

        return edit_definition(module, symbol, change)

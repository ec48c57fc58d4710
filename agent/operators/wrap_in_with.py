"""Puts one statement under a `with`, such as `with torch.no_grad():`."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .anchors import Anchor, Siblings
from .arguments import expression, normal_expression, nth, only, required
from .definitions import edit_definition


class WrapInWith:
    """Arguments: `anchor` (`nth` if it repeats), `context` (the expression after `with`)."""

    name = "wrap_in_with"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "anchor", "nth", "context")
        anchor = Anchor.of(required(args, "anchor"), nth(args))
        item = cst.WithItem(expression(required(args, "context")))

        def wrap(statement: cst.BaseStatement) -> list[cst.BaseStatement]:
            comments = getattr(statement, "leading_lines", ())
            inner = statement.with_changes(leading_lines=())
            return [cst.With([item], cst.IndentedBlock([inner]), leading_lines=comments)]

        context = normal_expression(args["context"])

        def refuse(where: Siblings) -> None:
            around = where[0]
            if isinstance(around, cst.With) and context in [
                normal_expression(module.code_for_node(one.item)) for one in around.items
            ]:
                raise OperatorError("the statement stands under it already", found=f"with {context}")

        return edit_definition(module, symbol, lambda place: anchor.rewrite(place, wrap, refuse))

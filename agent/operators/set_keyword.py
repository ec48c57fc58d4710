"""Gives a call a keyword argument, or another value for the one it has."""

from collections.abc import Mapping

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import expression, normal_expression, nth, only, required
from .calls import edit_call


class SetKeyword:
    """Arguments: `call` (the whole call as written, or its callee), `keyword`, `value`, `nth` if the call repeats."""

    name = "set_keyword"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "call", "keyword", "value", "nth")
        keyword, value = required(args, "keyword").strip(), expression(required(args, "value"))
        if not keyword.isidentifier():
            raise OperatorError("argument 'keyword'", wanted="a name", found=keyword)

        def change(call: cst.Call) -> cst.Call:
            for index, arg in enumerate(call.args):
                if arg.keyword is not None and arg.keyword.value == keyword:
                    if normal_expression(module.code_for_node(arg.value)) == normal_expression(args["value"]):
                        raise OperatorError("the keyword has that value already", found=f"{keyword}={args['value']}")
                    new = arg.with_changes(value=value)
                    return call.with_changes(args=[*call.args[:index], new, *call.args[index + 1 :]])
            return _with_argument(call, keyword, value)

        return edit_call(module, symbol, required(args, "call"), nth(args), change)


def _with_argument(call: cst.Call, keyword: str, value: cst.BaseExpression) -> cst.Call:
    """The new argument follows the layout of the ones before it: same line, or a line of its own."""
    plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(value, keyword=cst.Name(keyword), equal=plain)
    if not call.args:
        return call.with_changes(args=[new])
    last = call.args[-1]
    # `**options` may hold the keyword too; the new one goes before it, as Python demands of neither.
    place = len(call.args) - (last.star == "**")
    before = call.args[place - 1] if place else last
    comma = call.args[0].comma if len(call.args) > 1 else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if place < len(call.args):
        return call.with_changes(args=[*call.args[:place], new.with_changes(comma=comma), *call.args[place:]])
    if isinstance(before.comma, cst.Comma):  # trailing comma, one argument a line
        return call.with_changes(
            args=[*call.args[:-1], before.with_changes(comma=comma), new.with_changes(comma=before.comma)]
        )
    return call.with_changes(
        args=[
            *call.args[:-1],
            before.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace("")),
            new.with_changes(whitespace_after_arg=before.whitespace_after_arg),
        ]
    )

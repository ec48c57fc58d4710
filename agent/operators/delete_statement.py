"""Takes one statement out of a function, class or module."""

from collections.abc import Mapping

import libcst as cst

from .anchors import Anchor
from .arguments import nth, only, required
from .definitions import edit_definition


class DeleteStatement:
    """Arguments: `anchor`, and `nth` if it repeats. A block left empty gets a `pass`."""

    name = "delete_statement"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "anchor", "nth")
        anchor = Anchor.of(required(args, "anchor"), nth(args))
        return edit_definition(module, symbol, lambda place: anchor.rewrite(place, lambda _: []))

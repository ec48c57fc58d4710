"""Writes statements in place of one."""

from collections.abc import Mapping

import libcst as cst

from .anchors import Anchor, refuse_beside
from .arguments import nth, only, required, statements
from .definitions import edit_definition


class ReplaceStatement:
    """Arguments: `anchor` (`nth` if it repeats), `code`. The comments above the old statement stay."""

    name = "replace_statement"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "anchor", "nth", "code")
        anchor = Anchor.of(required(args, "anchor"), nth(args))
        new = statements(required(args, "code"), module)

        def change(old: cst.BaseStatement) -> list[cst.BaseStatement]:
            above = [*getattr(old, "leading_lines", ()), *getattr(new[0], "leading_lines", ())]
            return [new[0].with_changes(leading_lines=above), *new[1:]]

        # `code` may hold the anchor itself: the second time it would be written into itself.
        refuse = refuse_beside(new, 1 - len(new), 0)
        return edit_definition(module, symbol, lambda place: anchor.rewrite(place, change, refuse))

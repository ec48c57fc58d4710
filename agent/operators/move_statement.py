"""Moves one statement before or after another of the same symbol, its comments with it."""

from collections.abc import Mapping

import libcst as cst

from .anchors import Anchor, rewrite_all
from .arguments import choice, nth, only, required
from .definitions import Place, edit_definition


class MoveStatement:
    """Arguments: `anchor` (what moves; `nth` if it repeats), `where` (before, after), `to` (another statement)."""

    name = "move_statement"
    local = True

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "anchor", "nth", "where", "to")
        anchor = Anchor.of(required(args, "anchor"), nth(args))
        to = Anchor.of(required(args, "to"))
        where = choice(args, "where", "before", "after")
        moved: list[cst.BaseStatement] = []

        def take(statement: cst.BaseStatement) -> list[cst.BaseStatement]:
            moved.append(statement)
            return [statement]

        def drop(_: cst.BaseStatement) -> list[cst.BaseStatement]:
            return []

        def place_beside(statement: cst.BaseStatement) -> list[cst.BaseStatement]:
            return [*moved, statement] if where == "before" else [statement, *moved]

        def change(place: Place) -> Place | None:
            # A first pass only looks at what moves: it may stand before or after its new place.
            if anchor.rewrite(place, take) is None:
                return None
            return rewrite_all([(anchor, drop), (to, place_beside)], place)

        return edit_definition(module, symbol, change)

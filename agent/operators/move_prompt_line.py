"""A line of a prompt, such as a constraint, moves before or after another, such as the question."""

from collections.abc import Mapping

import libcst as cst

from .arguments import choice, only, required
from .prompt_string import edit_prompt
from .prompt_text import refuse_lost_fields, with_line_moved


class MovePromptLine:
    """Moves `line` right `before` or `after` (argument `where`) the line `anchor`, in the string that holds `phrase`."""

    name = "move_prompt_line"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "phrase", "line", "anchor", "where")
        line, anchor = required(args, "line"), required(args, "anchor")
        where = choice(args, "where", "before", "after")
        return edit_prompt(
            module,
            symbol,
            required(args, "phrase"),
            lambda text, newline: with_line_moved(text, line, anchor, where, newline),
        )


class MovePromptLineFile:
    """The same for a prompt that is a file of its own; no argument `phrase`."""

    name = "move_prompt_line_file"

    def apply_text(self, text: str, symbol: str, args: Mapping[str, str]) -> str:
        only(args, "line", "anchor", "where")
        line, anchor = required(args, "line"), required(args, "anchor")
        changed = with_line_moved(text, line, anchor, choice(args, "where", "before", "after"))
        refuse_lost_fields(text, changed)
        return changed

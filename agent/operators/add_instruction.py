"""A prompt gets one more instruction: the format of the answer, its length."""

from collections.abc import Mapping

import libcst as cst

from .arguments import only, required
from .prompt_string import edit_prompt, quoted
from .prompt_text import refuse_lost_fields, with_instruction


class AddInstruction:
    """Adds the line `instruction` to the prompt in `symbol` whose source holds `phrase`.

    It goes to the end, or before a last line that waits for the answer (`Answer:`).
    """

    name = "add_instruction"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "phrase", "instruction")
        phrase, instruction = required(args, "phrase"), required(args, "instruction")
        return edit_prompt(
            module, symbol, phrase, lambda text, newline: with_instruction(text, quoted(instruction, newline), newline)
        )


class AddInstructionFile:
    """The same for a prompt that is a file of its own; no argument `phrase`."""

    name = "add_instruction_file"

    def apply_text(self, text: str, symbol: str, args: Mapping[str, str]) -> str:
        only(args, "instruction")
        changed = with_instruction(text, required(args, "instruction"))
        refuse_lost_fields(text, changed)
        return changed

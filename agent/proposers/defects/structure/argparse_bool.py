"""`type=bool` in argparse, which takes every text for true.

Why it hurts: argparse calls `bool("False")`, and a text that is not empty is true. `--pretrained False` switches the
option on, and a sweep over it compares a setting with itself. Source: documentation of argparse; seen in public fix
histories.

    before                                          after
    parser.add_argument("--amp", type=bool)         parser.add_argument("--amp", type=lambda text:
                                                        text.strip().lower() in ("1", "true", "yes", "y", "on"))

What the option gets when it is not given stays the same, and so does `--amp True`.

Silent: other types, `click` and other parsers, which read the word, and flags made by `action`.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..base import Finding
from ..program import Program, called_name, keyword_of
from .found import at

_READS_THE_WORD = 'lambda text: text.strip().lower() in ("1", "true", "yes", "y", "on")'


@dataclass(frozen=True, slots=True)
class ArgparseBool:
    name: str = "argparse_bool"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not any(full.split(".")[0] == "argparse" for full in function.source.aliases.values()):
                continue
            if "bool" in function.source.aliases:
                continue
            for call in function.calls:
                kind = keyword_of(call, "type")
                if called_name(call) != "add_argument" or not isinstance(kind, ast.Name) or kind.id != "bool":
                    continue
                option = _name(call)
                why = f"argparse calls bool() on the text: `{option} False` is true, because the text is not empty."
                edit = function.set_keyword(call, "type", _READS_THE_WORD)
                found = at(self.name, function, call, f"Read {option} as the word it is", why, (edit,))
                yield replace(found, confidence="high", safe=True)


def _name(call: ast.Call) -> str:
    """The option's long name, else its first."""
    names = [str(a.value) for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return next((name for name in names if name.startswith("--")), names[0] if names else "the option")

"""A prefix or suffix is taken off with `lstrip` or `rstrip`, which take off letters.

Why it hurts: `"module.encoder".lstrip("module.")` is `"ncoder"`: keys of a checkpoint no longer match, and with
`strict=False` those weights stay random without a word; names of files and of classes are cut. Source: rule B005 of ruff.

    before                                  after
    key.lstrip("module.")                   key.removeprefix("module.")

Not flagged: sets of blanks, digits, brackets or punctuation, runs of the alphabet, and texts of fewer than three
letters.
"""

import ast
import string
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver

_NEW = {"lstrip": "removeprefix", "rstrip": "removesuffix"}


@dataclass(frozen=True, slots=True)
class StrippedKeys:
    name: str = "stripped_keys"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                owner, old = receiver(call), called_name(call)
                if old not in _NEW or owner is None or len(call.args) != 1 or not _is_word(call.args[0]):
                    continue
                source = function.source
                text = f"{source.segment(owner)}.{_NEW[old]}({source.segment(call.args[0])})"
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    f"Take off {ast.unparse(call.args[0])} as a whole, not its letters"[:72],
                    f"`{old}` takes off every leading or trailing letter that is in {ast.unparse(call.args[0])}, not the "
                    "word: more is lost from some names than from others.",
                    (function.replace(call, text),),
                    confidence="high",
                    safe=True,
                )


def _is_word(node: ast.expr) -> bool:
    """A text that reads as a word or an ending, not as a set of letters."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    text = node.value
    letters = [c for c in text.lower() if c in string.ascii_lowercase]
    if len(letters) < 3 or "".join(letters) in string.ascii_lowercase:
        return False
    return "aeiou" not in text.lower() and not any(c.isspace() for c in text.strip())

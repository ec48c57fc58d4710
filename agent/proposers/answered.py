"""What every question to a language model shares: how operators are told, and how its JSON is found and edits are read."""

import inspect

from pydantic import BaseModel, ConfigDict

from ..operators import OPERATORS
from ..proposal import Edit

LITERAL_OPERATORS = frozenset({"set_literal", "set_config_value", "add_constant", "drop_constants"})
"""The tuner's: not offered to a language model, and not taken from one."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EditAnswer(Strict):
    operator: str
    file: str
    symbol: str
    arguments: dict[str, str]

    @property
    def edit(self) -> Edit:
        return Edit(self.operator, self.file, self.symbol, self.arguments)


def operators_told() -> str:
    """Each operator on offer with its arguments, one line each."""
    allowed = {n: o for n, o in sorted(OPERATORS.items()) if n not in LITERAL_OPERATORS}
    return "\n".join(f"{name}: {' '.join((inspect.getdoc(op) or '').split())}" for name, op in allowed.items())


def json_part(text: str) -> str:
    """The outermost braces: many models put prose or a fence around their JSON."""
    text = text.encode("utf-8", "replace").decode()
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text[:200]

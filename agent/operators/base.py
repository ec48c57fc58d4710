"""What an operator is: one typed edit on a parsed module, or on the text of a prompt or configuration file."""

from collections.abc import Mapping
from typing import Protocol

import libcst as cst


class Operator(Protocol):
    """`apply` returns a changed module that differs only inside `symbol` (and in the imports it needs).

    An operator that reads nothing but the definition `symbol` says `local = True`: it is then given a module that holds
    that definition alone, which costs a hundredth on a large file.

    Raises:
        OperatorError: the symbol or the place inside it is not there, an argument is missing or wrong, or nothing
            would change.
    """

    name: str

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module: ...


class TextOperator(Protocol):
    """The same for files that are not Python: prompt files, YAML, TOML, JSON."""

    name: str

    def apply_text(self, text: str, symbol: str, args: Mapping[str, str]) -> str: ...

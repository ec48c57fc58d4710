"""Defaults of a program's command-line options, as expressions."""

import ast
from functools import cached_property

from ..proposers.defects.program import Program, called_name, keyword_of
from .facts import Unsettled


class Options:
    """What `parse_args()` gives when the command line says nothing."""

    def __init__(self, program: Program, command: tuple[str, ...] = ()) -> None:
        """`command`: the train step, whose own words come before the defaults."""
        self._program, self._command = program, command

    def default(self, name: str) -> ast.expr:
        """Raises: Unsettled when no option has the name, or it has no default."""
        if name not in self._defaults:
            raise Unsettled(f"the option {name} has no default that can be read")
        return self._defaults[name]

    def namespace(self) -> ast.expr:
        """`_args(...)` with every option whose default can be read."""
        keywords = [ast.keyword(name, value) for name, value in self._defaults.items() if name.isidentifier()]
        return ast.Call(ast.Name("_args", ast.Load()), [], keywords)

    @cached_property
    def _defaults(self) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for function in self._program.functions:
            for call in function.calls:
                if called_name(call) == "add_argument" and (name := _dest(call)):
                    value = self._given(call) or _default(call)
                    if value is not None:
                        found.setdefault(name, value)
        return found

    def _given(self, call: ast.Call) -> ast.expr | None:
        flags = {a.value for a in call.args if isinstance(a, ast.Constant)}
        for flag, word in zip(self._command, self._command[1:], strict=False):
            if flag in flags and "{" not in word:
                try:
                    value = ast.literal_eval(word)
                except (ValueError, SyntaxError):
                    value = word
                return ast.Constant(value) if isinstance(value, int | float | str) else None
        return None


def _dest(call: ast.Call) -> str:
    dest = keyword_of(call, "dest")
    if isinstance(dest, ast.Constant) and isinstance(dest.value, str):
        return dest.value
    names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    long = [name for name in names if name.startswith("--")] or names
    return long[0].lstrip("-").replace("-", "_") if long else ""


def _default(call: ast.Call) -> ast.expr | None:
    """A literal default; False for `store_true`."""
    action = keyword_of(call, "action")
    if isinstance(action, ast.Constant) and action.value in ("store_true", "store_false"):
        return ast.Constant(action.value == "store_false")
    value = keyword_of(call, "default")
    if value is None:
        return None
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError):
        return None
    return value

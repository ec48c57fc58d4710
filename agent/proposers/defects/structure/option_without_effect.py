"""A command-line flag that sets what is set already.

Why it hurts: `store_true` with `default=True` is true with the flag and without it. Whoever leaves the flag out to
switch the feature off trains with it on, and every comparison of the two is one of a thing with itself. Source: the
documentation of argparse; seen in public fix histories.

    before                                          after
    p.add_argument("--augment",                     p.add_argument("--augment",
        action="store_true", default=True)              action=argparse.BooleanOptionalAction, default=True)

`--augment` still works, and `--no-augment` now exists.

Silent: pairs of flags for one destination, defaults set elsewhere, and flags whose default can be changed.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function
from .found import at, sure

_SETS = {"store_true": True, "store_false": False}


@dataclass(frozen=True, slots=True)
class OptionWithoutEffect:
    name: str = "option_without_effect"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not any(full.split(".")[0] == "argparse" for full in function.source.aliases.values()):
                continue
            options = [call for call in function.calls if called_name(call) == "add_argument"]
            for call in options:
                action, default = keyword_of(call, "action"), keyword_of(call, "default")
                if not isinstance(action, ast.Constant) or not isinstance(default, ast.Constant):
                    continue
                sets = _SETS.get(action.value) if isinstance(action.value, str) else None
                if sets is None or default.value is not sets:
                    continue
                shared = [other for other in options if other is not call and _destination(other) == _destination(call)]
                if shared or _is_set_elsewhere(_destination(call), function.source.tree):
                    continue
                yield self._finding(call, sets, function)

    def _finding(self, call: ast.Call, value: bool, function: Function) -> Finding:
        option = ast.unparse(call.args[0]).strip("'\"") if call.args else "the option"
        why = f"`{option}` sets {value}, and {value} is what it is without the flag: it can never be {not value}."
        edits: tuple[Edit, ...] = ()
        if value and option.startswith("--") and "argparse" in function.source.aliases:
            edits = (function.set_keyword(call, "action", "argparse.BooleanOptionalAction"),)
        found = at(self.name, function, call, f"Let {option} be switched off and on", why, edits)
        return replace(found, confidence=sure(edits))


def _destination(call: ast.Call) -> str:
    """The attribute an option is read by: `dest`, else its first long name."""
    given = keyword_of(call, "dest")
    if isinstance(given, ast.Constant):
        return str(given.value)
    names = [str(a.value) for a in call.args if isinstance(a, ast.Constant)]
    long = next((name for name in names if name.startswith("--")), names[0] if names else ast.unparse(call))
    return long.lstrip("-").replace("-", "_")


def _is_set_elsewhere(destination: str, tree: ast.Module) -> bool:
    """Whether `set_defaults`, an assignment, or a flag of another function can change it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node) == "set_defaults":
            return True
        if isinstance(node, ast.Attribute) and node.attr == destination and isinstance(node.ctx, ast.Store):
            return True
    return False

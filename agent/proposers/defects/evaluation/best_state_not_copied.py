"""The best weights are kept by reference, and training goes on changing them.

Why it hurts: `state_dict()` holds the tensors of the model itself. When the best state is loaded at the end, it is the
last one: early stopping and the choice of an epoch have no effect, and nothing says so. Source: seen in public fix
histories; the notes of PyTorch on saving models ("you must copy").

    before                                          after
    if val_loss < best:                             if val_loss < best:
        best_state = model.state_dict()                 best_state = copy.deepcopy(model.state_dict())
    ...                                             ...
    model.load_state_dict(best_state)               model.load_state_dict(best_state)

Not flagged: copies of any kind, states that are written to a file at once, and states that are not used outside the
branch that keeps them.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from ..training import is_model_value

_SHALLOW = frozenset({"dict", "copy.copy", "collections.OrderedDict"})
_WRITES = frozenset({"save", "dump", "save_checkpoint", "save_model"})


@dataclass(frozen=True, slots=True)
class BestStateNotCopied:
    name: str = "best_state_not_copied"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "best" not in function.source.text or "state_dict" not in function.source.text:
                continue
            for node in function.own:
                match node:
                    case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value):
                        text = ast.unparse(target)
                    case _:
                        continue
                if "best" not in words(text) or not _is_reference(value, function, program):
                    continue
                branch = next((a for a in function.source.ancestors(node) if isinstance(a, ast.If)), None)
                if branch is None or not function.source.loops(branch) or not _is_used_later(text, branch, function):
                    continue
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    f"Copy what {text} keeps"[:72],
                    f"`{ast.unparse(node)[:80]}` keeps the tensors that training goes on changing: what is used later is the "
                    "last state, not the best.",
                    _edits(value, function),
                    confidence="high",
                )


def _is_reference(value: ast.expr, function: Function, program: Program) -> bool:
    """`model.state_dict()`, or the model itself."""
    if isinstance(value, ast.Name):
        return is_model_value(value, function, program)
    return _state(value, function) is not None


def _state(value: ast.expr, function: Function) -> ast.expr | None:
    """`model.state_dict()` of the same, also within a copy of the outer dict alone: `model.state_dict().copy()`."""
    match value:
        case ast.Call(func=ast.Attribute(attr="state_dict"), args=[], keywords=[]):
            return value
        case ast.Call(func=ast.Attribute(value=inner, attr="copy"), args=[], keywords=[]):
            return _state(inner, function)
        case ast.Call(func=func, args=[inner], keywords=[]) if function.source.full(func) in _SHALLOW:
            return _state(inner, function)
    return None


def _is_used_later(text: str, branch: ast.If, function: Function) -> bool:
    """Whether the kept state is loaded or returned outside the branch that keeps it."""
    inside = set(ast.walk(branch))
    if any(
        isinstance(n, ast.Call) and called_name(n) in _WRITES and any(ast.unparse(a) == text for a in n.args)
        for n in inside
    ):
        return False
    homes = [function]
    if text.startswith("self.") and function.owner is not None:
        homes = [f for f in function.source.functions if f.owner is function.owner]
    later = [node for home in homes for node in home.own if node not in inside]
    return any(_is_given(node, text, _WRITES | {"load_state_dict"}) or _is_returned(node, text) for node in later)


def _is_given(node: ast.AST, text: str, names: frozenset[str]) -> bool:
    return (
        isinstance(node, ast.Call) and called_name(node) in names and any(ast.unparse(arg) == text for arg in node.args)
    )


def _is_returned(node: ast.AST, text: str) -> bool:
    if not isinstance(node, ast.Return) or node.value is None:
        return False
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return any(ast.unparse(value) == text for value in values)


def _edits(value: ast.expr, function: Function) -> tuple[Edit, ...]:
    source = function.source
    deepcopy = next((alias for alias, full in source.aliases.items() if full == "copy.deepcopy"), "")
    module = next((alias for alias, full in source.aliases.items() if full == "copy"), "")
    edits: list[Edit] = []
    if not deepcopy:
        deepcopy = f"{module or 'copy'}.deepcopy"
        edits += [] if module else [source.functions[0].edit("add_import", code="import copy")]
    new = f"{deepcopy}({source.segment(_state(value, function) or value)})"
    statement = source.statement(value)
    if isinstance(value, ast.Name) and isinstance(statement, ast.Assign):
        edits.append(function.rewrite(statement, f"{source.segment(statement.targets[0])} = {new}"))
    else:
        edits.append(function.replace(value, new))
    return tuple(edits)

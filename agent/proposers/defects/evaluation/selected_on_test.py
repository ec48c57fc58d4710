"""The test data chooses: the best checkpoint, the early stop or the learning rate follow the test score.

Why it hurts: the reported score is the best of many on the data it is to be judged by, and longer training alone raises
it. Source: arXiv 2604.04199 (0.040 AUC on average); Kapoor & Narayanan 2023; Yang et al. 2022 (multi-test leakage).

    before                                              after
    if test_acc > best_acc:                             if val_acc > best_acc:
        best_acc = test_acc                                 best_acc = val_acc
        save(model)                                         save(model)

Where no validation data is at hand it is only told: they have to be split off first.

Not flagged: a validation split under any of its names, and a best test score that is only printed.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of, receiver
from ..source import Function, words
from ..training import mentions

_TEST = frozenset({"test", "holdout", "heldout", "sealed"})
_HELD_OUT = frozenset({"val", "valid", "validation", "dev"})
_OTHER = _HELD_OUT | {"train"}
_KEEPS = frozenset({"save", "save_pretrained", "save_model", "save_weights", "save_checkpoint", "dump", "deepcopy",
                    "state_dict", "get_weights"})  # fmt: skip
_STOPS = frozenset({"early_stopping_rounds", "early_stopping", "callbacks"})


@dataclass(frozen=True, slots=True)
class SelectedOnTest:
    name: str = "selected_on_test"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if isinstance(node, ast.If) and (what := decided_by(node, function)):
                    yield self._finding(
                        function, node, f"What is kept is chosen by `{what}`.", _instead(node, function)
                    )
                elif isinstance(node, ast.Call) and (watched := watched_test(node)) is not None:
                    edits = _watch_instead(node, watched, function)
                    yield self._finding(function, node, f"Training follows `{ast.unparse(watched)[:60]}`.", edits)

    def _finding(self, function: Function, node: ast.stmt | ast.expr, why: str, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            "Choose on validation data, and look at the test data once",
            f"{why} The score on the test data is then too good.",
            edits,
            confidence="high" if edits else "medium",
        )


def decided_by(node: ast.If, function: Function) -> str:
    """The test score that decides whether something is saved or training stops; empty when none does."""
    match node.test:
        case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[right]):
            pass
        case _:
            return ""
    sides = [side for side in (left, right) if isinstance(side, ast.Name | ast.Attribute | ast.Subscript)]
    best = [side for side in sides if "best" in words(ast.unparse(side))]
    new = [side for side in sides if side not in best]
    if len(best) != 1 or len(new) != 1:
        return ""
    inner = [n for statement in node.body for n in ast.walk(statement)]
    keeps = any(isinstance(n, ast.Call) and called_name(n) in _KEEPS for n in inner)
    if not keeps and not any(isinstance(n, ast.Break) for n in inner):
        return ""
    measured = _measured(new[0], node, function)
    if is_of_test(new[0]):
        return "" if any(mentions(a, _HELD_OUT) and not is_of_test(a) for a in measured) else ast.unparse(new[0])
    return ast.unparse(new[0]) if any(is_of_test(a) for a in measured) else ""


def watched_test(call: ast.Call) -> ast.expr | None:
    """Test data that early stopping watches, or the test score that a schedule follows."""
    owner = receiver(call)
    if called_name(call) == "fit":
        watched = keyword_of(call, "eval_set") or keyword_of(call, "validation_data")
        stops = any(keyword_of(call, name) is not None for name in _STOPS)
        return watched if watched is not None and stops and is_of_test(watched) else None
    if called_name(call) == "step" and owner is not None and "scheduler" in words(ast.unparse(owner)):
        return next(filter(is_of_test, call.args[:1]), None)
    return None


def is_of_test(node: ast.expr) -> bool:
    names = [ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)]
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    said = {word for text in (*names, *texts) for word in words(text)}
    return bool(said & _TEST) and not said & _OTHER


def _measured(new: ast.expr, node: ast.If, function: Function) -> list[ast.expr]:
    """What the call above was given that measured a score: `acc = evaluate(model, test_loader)`."""
    value = function.last_value(ast.unparse(new), node.lineno)
    while isinstance(value, ast.Subscript):
        value = value.value
    return [*value.args, *(k.value for k in value.keywords)] if isinstance(value, ast.Call) else []


def _instead(node: ast.If, function: Function) -> tuple[Edit, ...]:
    """The validation score in place of the test score, where the same loop measures both under sibling names."""
    test = node.test
    if not isinstance(test, ast.Compare):
        return ()
    new = next((s for s in (test.left, test.comparators[0]) if isinstance(s, ast.Name) and is_of_test(s)), None)
    if not isinstance(new, ast.Name):
        return ()
    other = _sibling(new.id, function)
    if not other or not function.assignments(other):
        return ()
    edits = [function.replace(test, function.source.spliced(test, new, other))]
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=ast.Name(value)) if value == new.id:
                code = f"{function.source.segment(target)} = {other}"
                edits.append(function.rewrite(statement, code))
    return tuple(edits)


def _watch_instead(call: ast.Call, watched: ast.expr, function: Function) -> tuple[Edit, ...]:
    new, changed = function.source.segment(watched), False
    for name in dict.fromkeys(n.id for n in ast.walk(watched) if isinstance(n, ast.Name) and is_of_test(n)):
        other = _sibling(name, function)
        if not other:
            return ()
        new, changed = new.replace(name, other), True
    return (function.replace(call, function.source.spliced(call, watched, new)),) if changed else ()


def _sibling(name: str, function: Function) -> str:
    """`val_acc` for `test_acc`, when the function binds it."""
    for word in ("val", "valid", "validation", "dev"):
        other = name.replace("test", word)
        if other != name and (function.assignments(other) or other in function.parameters):
            return other
    return ""

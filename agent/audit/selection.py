"""Test data used for early stopping, or to choose a checkpoint or a setting.

    if test_acc > best_acc: best_acc = test_acc; torch.save(model.state_dict(), ...)
    model.fit(X, y, eval_set=[(X_test, y_test)], early_stopping_rounds=10)
    scheduler.step(test_loss)

Silent: a validation split under any of its names, and a best test score that is only printed.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..proposers.defects.program import called_name, keyword_of, receiver
from ..proposers.defects.source import Function, words
from .base import AuditFinding, Severity
from .scene import Scene

_TEST = frozenset({"test", "holdout", "heldout", "sealed"})
_KEEPS = frozenset({"save", "save_pretrained", "save_model", "save_weights", "save_checkpoint", "dump", "deepcopy",
                    "state_dict", "get_weights"})  # fmt: skip
_STOPS = frozenset({"early_stopping_rounds", "early_stopping", "callbacks"})


@dataclass(frozen=True, slots=True)
class SelectedOnTest:
    name: str = "test_data_selects"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        for function in scene.training:
            for node in function.own:
                if isinstance(node, ast.If) and (what := _decided_by(node, function)):
                    yield self._finding(scene, function, node, f"What is kept is chosen by `{what}`")
                elif isinstance(node, ast.Call):
                    yield from self._given(node, function, scene)

    def _given(self, call: ast.Call, function: Function, scene: Scene) -> Iterator[AuditFinding]:
        owner = receiver(call)
        if called_name(call) == "fit":
            watched = keyword_of(call, "eval_set") or keyword_of(call, "validation_data")
            stops = [keyword_of(call, name) for name in _STOPS]
            if watched is not None and any(stops) and _is_of_test(watched):
                yield self._finding(scene, function, call, f"Early stopping watches `{ast.unparse(watched)[:60]}`")
        elif called_name(call) == "step" and owner is not None and "scheduler" in words(ast.unparse(owner)):
            for watched in filter(_is_of_test, call.args[:1]):
                yield self._finding(scene, function, call, f"The learning rate follows `{ast.unparse(watched)[:60]}`")

    def _finding(self, scene: Scene, function: Function, node: ast.AST, title: str) -> AuditFinding:
        if scene.separate:
            why = "This is test data of the training's own: the splits of target.toml are not in its view, so the number " \
                  "compared here is not moved, and what the code prints about itself is too good."  # fmt: skip
        else:
            why = "The score that is reported is the best of many on the data it is to be judged by: it is too good, and " \
                  "longer training alone raises it."  # fmt: skip
        severity: Severity = "low" if scene.separate else "high"
        return AuditFinding(
            self.name, severity, function.source.path, getattr(node, "lineno", 1), title, why,
            "Choose on a part of the training data, and look at the test data once.",
        )  # fmt: skip


def _decided_by(node: ast.If, function: Function) -> str:
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
    return ast.unparse(new[0]) if _is_of_test(new[0]) or _measured_on_test(new[0], node, function) else ""


def _measured_on_test(new: ast.expr, node: ast.If, function: Function) -> bool:
    """`acc = evaluate(model, test_loader)` above, and no validation split in it."""
    value = function.last_value(ast.unparse(new), node.lineno)
    while isinstance(value, ast.Subscript):
        value = value.value
    return isinstance(value, ast.Call) and any(
        _is_of_test(a) for a in [*value.args, *(k.value for k in value.keywords)]
    )


def _is_of_test(node: ast.expr) -> bool:
    names = [ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)]
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    said = {word for text in (*names, *texts) for word in words(text)}
    return bool(said & _TEST) and not said & {"val", "valid", "validation", "dev", "train"}

"""Test data used for early stopping, or to choose a checkpoint or a setting.

    if test_acc > best_acc: best_acc = test_acc; torch.save(model.state_dict(), ...)
    model.fit(X, y, eval_set=[(X_test, y_test)], early_stopping_rounds=10)
    scheduler.step(test_loss)

Silent: a validation split under any of its names, and a best test score that is only printed.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..proposers.defects.evaluation.selected_on_test import decided_by, watched_test
from ..proposers.defects.program import called_name
from ..proposers.defects.source import Function
from .base import AuditFinding, Severity
from .scene import Scene


@dataclass(frozen=True, slots=True)
class SelectedOnTest:
    name: str = "test_data_selects"

    def ask(self, scene: Scene) -> Iterable[AuditFinding]:
        for function in scene.training:
            for node in function.own:
                if isinstance(node, ast.If) and (what := decided_by(node, function)):
                    yield self._finding(scene, function, node, f"What is kept is chosen by `{what}`")
                elif isinstance(node, ast.Call) and (watched := watched_test(node)) is not None:
                    what = "Early stopping watches" if called_name(node) == "fit" else "The learning rate follows"
                    yield self._finding(scene, function, node, f"{what} `{ast.unparse(watched)[:60]}`")

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

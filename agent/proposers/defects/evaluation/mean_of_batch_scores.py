"""A metric that does not add up over batches is computed for each batch, and the values are averaged.

Why it hurts: F1, recall, precision, AUC and R2 of a whole are no means of those of its parts: the number changes with
the batch size and the order, and is undefined for a batch of one class. Source: Tambon et al. (wrong calculation).

    before                                  after
    for x, y in loader:                     for x, y in loader:
        p = predict(x)                          truth += y.tolist()
        scores.append(f1_score(y, p))           guess += predict(x).tolist()
    print(np.mean(scores))                  print(f1_score(truth, guess))

Only told: what is collected, and on which device, is the author's to say.

Not flagged: metrics that add up (accuracy, errors), and values per fold, image, class or step.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from ..training import is_mini_batch_loop

_WHOLE = frozenset({
    "f1_score", "recall_score", "precision_score", "roc_auc_score", "average_precision_score", "r2_score", "fbeta_score",
    "balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeanOfBatchScores:
    name: str = "mean_of_batch_scores"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in _WHOLE or not function.source.full(call.func).startswith("sklearn.metrics"):
                    continue
                loops = function.source.loops(call)
                if not loops or not is_mini_batch_loop(loops[0]) or "loader" not in ast.unparse(_iterated(loops[0])):
                    continue
                if _is_collected(call, function):
                    yield Finding(
                        self.name,
                        function.source.path,
                        call.lineno,
                        function.name,
                        f"Compute {called_name(call)} once, of all batches"[:72],
                        f"`{ast.unparse(call)[:70]}` is computed batch by batch and collected: the mean of its values is not "
                        "its value for the whole.",
                        (),
                        confidence="medium",
                    )


def _iterated(loop: ast.AST) -> ast.expr:
    return loop.iter if isinstance(loop, ast.For | ast.AsyncFor) else ast.Constant("")


def _is_collected(call: ast.Call, function: Function) -> bool:
    """`total += f1_score(...)`, `scores.append(f1_score(...))`, or the same through a name."""
    statement = function.source.statement(call)
    if isinstance(statement, ast.AugAssign):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return called_name(statement.value) == "append"
    if isinstance(statement, ast.Assign) and statement.value is call and isinstance(statement.targets[0], ast.Name):
        name = statement.targets[0].id
        for node in function.own:
            if isinstance(node, ast.AugAssign) and ast.unparse(node.value) == name:
                return True
            if isinstance(node, ast.Call) and called_name(node) == "append" and ast.unparse(node.args[0]) == name:
                return True
    return False

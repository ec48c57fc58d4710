"""The only score is of the rows the model was fitted on.

Why it hurts: it measures memory: a tree or a nearest neighbour reaches 1.0 on noise. Source: Kapoor & Narayanan 2023,
leakage type L1.1 (no test set); Yang et al. 2022 (overlap).

    before                                  after
    model.fit(X, y)                         a, b, c, d = train_test_split(X, y)
    print(model.score(X, y))                model.fit(a, c)
                                            print(model.score(b, d))

Only told: how the rows may be split is the author's to say.

Not flagged: names that say training, programs that split or cross-validate anywhere in the file, other rows that are
scored too, models without labels.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function, words
from ..training import TRAIN_WORDS

_SPLITS = ("train_test_split", "cross_val", "KFold", "ShuffleSplit", "GridSearchCV", "RandomizedSearchCV", "oob_score",
           "random_split", "LeaveOneOut", "validation_split", "validation_data", "eval_set")  # fmt: skip
_SCORES = frozenset({"score", "predict", "predict_proba", "decision_function", "evaluate"})
_METRIC_WORDS = ("accuracy", "f1_score", "r2_score", "roc_auc", "mean_squared_error", "mean_absolute_error", ".score(",
                 ".evaluate(", "classification_report", "confusion_matrix", "precision_score", "recall_score")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoredOnTrainingRows:
    name: str = "scored_on_training_rows"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            text = function.source.text
            if (
                ".fit(" not in text
                or any(mark in text for mark in _SPLITS)
                or not any(m in text for m in _METRIC_WORDS)
            ):
                continue
            for fit in function.calls:
                scored = _only_score(fit, function)
                if scored is not None:
                    yield Finding(
                        self.name,
                        function.source.path,
                        scored.lineno,
                        function.name,
                        "Score rows that the model was not fitted on",
                        f"`{ast.unparse(scored)[:70]}` asks about the rows that `{ast.unparse(fit)[:70]}` has learned.",
                        (),
                        confidence="low",
                    )


def _only_score(fit: ast.Call, function: Function) -> ast.Call | None:
    """The first score of the model on what it was fitted on, when it is asked about nothing else."""
    match fit:
        case ast.Call(func=ast.Attribute(value=model, attr="fit"), args=[ast.Name(rows), ast.Name(), *_]):
            pass
        case _:
            return None
    if TRAIN_WORDS & set(words(rows)):
        return None
    text = ast.unparse(model)
    asked = [
        call
        for call in function.calls
        if called_name(call) in _SCORES and call.args and ast.unparse(receiver(call) or call) == text
        and call.lineno > fit.lineno
    ]  # fmt: skip
    if not asked or any(ast.unparse(call.args[0]) != rows for call in asked):
        return None
    if any(fit.lineno < line <= asked[-1].lineno for line, _ in function.assignments(rows)):
        return None
    return asked[0]

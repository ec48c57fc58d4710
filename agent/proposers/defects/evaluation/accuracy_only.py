"""Classes are known to be unequal, and accuracy is the only score.

Why it hurts: of 95 percent negatives a model that never says yes is right in 95 percent; what weights or resampling gain
on the rare class does not show. Source: dslinter W5519; deepchecks.

    before                                          after
    LogisticRegression(class_weight="balanced")     LogisticRegression(class_weight="balanced")
    accuracy_score(y, p)                            balanced_accuracy_score(y, p)

Only told: which mistakes matter is for the author to say.

Not flagged: code that computes any other score of classes anywhere.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of

_OTHERS = frozenset({
    "f1", "f_score", "fscore", "fbeta", "recall", "precision", "auc", "auroc", "balanced_accuracy", "matthews", "mcc", "kappa",
    "confusion", "classification_report", "average_precision", "specificity", "sensitivity",
})  # fmt: skip
_REBALANCES = frozenset({"WeightedRandomSampler", "SMOTE", "RandomOverSampler", "RandomUnderSampler", "ADASYN"})


@dataclass(frozen=True, slots=True)
class AccuracyOnly:
    name: str = "accuracy_only"

    def detect(self, program: Program) -> Iterable[Finding]:
        for source in program.sources:
            calls = [(function, call) for function in source.functions for call in function.calls]
            scored = [(f, c) for f, c in calls if called_name(c) == "accuracy_score"]
            balanced = [c for _, c in calls if _rebalances(c)]
            if not scored or not balanced or any(word in source.text.lower() for word in _OTHERS):
                continue
            function, call = scored[0]
            yield Finding(
                self.name,
                source.path,
                call.lineno,
                function.name,
                "Report a score that the rare class can move",
                f"Line {balanced[0].lineno} makes up for unequal classes, and accuracy, which they hide in, is the only score.",
                (),
                effect="visibility",
                confidence="low",
            )


def _rebalances(call: ast.Call) -> bool:
    weight = keyword_of(call, "class_weight") or keyword_of(call, "pos_weight")
    unset = isinstance(weight, ast.Constant) and weight.value is None
    return called_name(call) in _REBALANCES or (weight is not None and not unset)

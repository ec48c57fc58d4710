"""A ranking metric is given predicted classes instead of scores.

Why it hurts: the ROC curve then has one point; its area is the balanced accuracy at 0.5, lower than the truth, blind to
ranking, and not comparable with other people's. Source: Islam et al. 2019 (misread interfaces); scikit-learn's guide.

    before                                              after
    roc_auc_score(y, clf.predict(x))                    roc_auc_score(y, clf.predict_proba(x)[:, 1])

Not flagged: models whose `predict` gives scores (Keras, boosters, regressors), and names that are not followed to a
classifier of scikit-learn.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of, receiver
from ..source import Function

_RANKS = frozenset({"roc_auc_score", "average_precision_score", "roc_curve", "precision_recall_curve", "log_loss"})
_PROBABLE = frozenset(
    "LogisticRegression GaussianNB MultinomialNB BernoulliNB RandomForestClassifier ExtraTreesClassifier "
    "GradientBoostingClassifier HistGradientBoostingClassifier AdaBoostClassifier DecisionTreeClassifier "
    "KNeighborsClassifier MLPClassifier XGBClassifier LGBMClassifier CatBoostClassifier".split()
)


@dataclass(frozen=True, slots=True)
class ClassesForScores:
    name: str = "classes_for_scores"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) not in _RANKS or len(call.args) < 2:
                    continue
                given = call.args[1]
                predicted = _predicted(given, call, function)
                owner = receiver(predicted) if predicted is not None else None
                if predicted is None or owner is None or not _is_classifier(owner, function, program):
                    continue
                source = function.source
                text = f"{source.segment(owner)}.predict_proba{source.segment(predicted)[len(source.segment(predicted.func)) :]}"
                whole = source.segment(call)
                at = whole.rindex(source.segment(given))
                every = called_name(call) == "log_loss" or keyword_of(call, "multi_class") is not None
                text += "" if every else "[:, 1]"
                new = f"{whole[:at]}{text}{whole[at + len(source.segment(given)) :]}"
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    f"Give {called_name(call)} scores, not classes"[:72],
                    f"`{ast.unparse(call)[:90]}` ranks rows by their predicted class, which is 0 or 1.",
                    (function.replace(call, new),),
                    confidence="high",
                )


def _predicted(given: ast.expr, call: ast.Call, function: Function) -> ast.Call | None:
    """`m.predict(x)` as it stands, or as the one value of the name."""
    if isinstance(given, ast.Name):
        values = [v for line, v in function.assignments(given.id) if line < call.lineno]
        if not values:
            return None
        given = values[-1]
    return given if isinstance(given, ast.Call) and called_name(given) == "predict" else None


def _is_classifier(owner: ast.expr, function: Function, program: Program) -> bool:
    values = [value for value, _ in program.values(owner, function)]
    return bool(values) and all(isinstance(v, ast.Call) and called_name(v) in _PROBABLE for v in values)

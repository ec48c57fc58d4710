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
_OTHERS = frozenset({"SVC", "LinearSVC", "RidgeClassifier", "Perceptron", "SGDClassifier"})
"""Their scores have another name, or need an option: nothing is edited."""


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
                names = _classifiers(owner, function, program) if owner is not None else []
                if predicted is None or owner is None or not names:
                    continue
                source = function.source
                text = f"{source.segment(owner)}.predict_proba{source.segment(predicted)[len(source.segment(predicted.func)) :]}"
                every = called_name(call) == "log_loss" or keyword_of(call, "multi_class") is not None
                text += "" if every else "[:, 1]"
                new = source.spliced(call, given, text)
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    f"Give {called_name(call)} scores, not classes"[:72],
                    f"`{ast.unparse(call)[:90]}` ranks rows by their predicted class, which is 0 or 1.",
                    (function.replace(call, new),) if _PROBABLE.issuperset(names) else (),
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


def _classifiers(owner: ast.expr, function: Function, program: Program) -> list[str]:
    """Names of the classes of scikit-learn's kind a model may be of; empty when it may be anything else."""
    values = [value for value, _ in program.values(owner, function)]
    if isinstance(owner, ast.Name) and not function.assignments(owner.id):
        values = _of_table(owner.id, function, program) or values
    names = [called_name(value) if isinstance(value, ast.Call) else "" for value in values]
    return names if all(name in _PROBABLE | _OTHERS for name in names) else []


def _of_table(name: str, function: Function, program: Program) -> list[ast.expr]:
    """The values of `table`, a dict as it is written, in `for key, name in table.items()`."""
    for node in function.own:
        match node:
            case ast.For(
                target=ast.Tuple(elts=[_, ast.Name(bound)]),
                iter=ast.Call(func=ast.Attribute(value=table, attr="items")),
            ) if bound == name:
                tables = [value for value, _ in program.values(table, function)]
                if len(tables) == 1 and isinstance(tables[0], ast.Dict):
                    return tables[0].values
    return []

"""Predictions are given to a metric as the truth, and the truth as predictions.

Why it hurts: precision and recall change places, a confusion matrix is transposed, R2 and AUC are of another question;
the numbers look as plausible as the right ones. Source: Islam et al. 2019 (misread interfaces); Tambon et al.

    before                                      after
    precision_score(y_pred, y_test)             precision_score(y_test, y_pred)

Not flagged: metrics in which the two sides are alike (accuracy, squared error), keywords, and names that do not say
which side they are.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function
from .roles import said

_SIDED = frozenset(
    "precision_score recall_score fbeta_score confusion_matrix classification_report roc_auc_score roc_curve log_loss "
    "average_precision_score precision_recall_curve precision_recall_fscore_support r2_score explained_variance_score "
    "balanced_accuracy_score top_k_accuracy_score brier_score_loss mean_absolute_percentage_error d2_absolute_error_score "
    "jaccard_score ndcg_score det_curve homogeneity_score completeness_score".split()
)
_PREDICTED = frozenset(
    "pred preds prediction predictions predicted yhat yhats prob probs proba probas probabilities logits predict".split()
)
_TRUE = frozenset("true truth label labels gt gts gold target targets actual test val groundtruth".split())


@dataclass(frozen=True, slots=True)
class SwappedMetricArguments:
    name: str = "swapped_metric_arguments"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                name = called_name(call)
                if not _is_sided(call) or len(call.args) < 2 or not _is_of_sklearn(call, function):
                    continue
                first, second = call.args[:2]
                if not (_is_predicted(first) and _is_true(second)):
                    continue
                source = function.source
                (start, end), (one, until), (two, last) = (source.span(node) for node in (call, first, second))
                text = source.text
                new = text[start:one] + text[two:last] + text[until:two] + text[one:until] + text[last:end]
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    f"Give {name} the truth first"[:72],
                    f"`{ast.unparse(call)[:90]}`: scikit-learn's metrics take the truth first and the predictions second.",
                    (function.replace(call, new),),
                    confidence="high",
                )


def _is_sided(call: ast.Call) -> bool:
    """Whether the two sides of a metric differ; those of F1 do when classes are weighted by their true number."""
    average = keyword_of(call, "average")
    weighted = isinstance(average, ast.Constant) and average.value == "weighted"
    return called_name(call) in _SIDED or (called_name(call) == "f1_score" and weighted)


def _is_of_sklearn(call: ast.Call, function: Function) -> bool:
    source = function.source
    starred = isinstance(call.func, ast.Name) and call.func.id not in source.aliases
    return source.full(call.func).startswith("sklearn.metrics") or (
        starred and source.aliases.get("*") == "sklearn.metrics.*"
    )


def _named(node: ast.expr) -> set[str]:
    """Words of a name, of what is called on it included: `model.predict(x)`, `y_pred.argmax(1)`."""
    found: set[str] = set()
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            found |= said(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            node = node.value
    return found | (said(node.id) if isinstance(node, ast.Name) else set())


def _is_predicted(node: ast.expr) -> bool:
    named = _named(node)
    return bool(named & _PREDICTED or {"y", "hat"} <= named) and not named & {
        "true",
        "truth",
        "gt",
        "gold",
        "actual",
        "label",
    }


def _is_true(node: ast.expr) -> bool:
    named = _named(node)
    return bool(named & _TRUE) and not named & _PREDICTED and "hat" not in named

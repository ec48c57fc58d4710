"""A model that is fitted on the rows it is then scored on, although a split was made.

Why it hurts: the test score measures memory; it is better than the truth, most of all for models that fit closely.

Source: Kapoor & Narayanan 2023, leakage type L1 (no clean separation of training and test); Islam et al. 2019.

    X_train, X_test, y_train, y_test = train_test_split(X, y)
    model.fit(X, y)                                 ->    model.fit(X_train, y_train)
    model.score(X_test, y_test)

Silent: a last fit on everything that nothing is scored with afterwards, and models scored on rows of another split.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...proposal import Edit
from .base import Finding
from .program import Program, called_name, receiver
from .source import Function, words

_SCORES = frozenset({"score", "predict", "predict_proba", "decision_function", "evaluate", "predict_log_proba"})
_CONCATENATES = frozenset({"concat", "concatenate", "vstack", "hstack", "append", "cat", "r_", "ConcatDataset"})
_HELD_OUT = frozenset({"test", "holdout", "heldout"})


@dataclass(frozen=True, slots=True)
class TrainedOnTest:
    name: str = "trained_on_test"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            fits = [call for call in function.calls if called_name(call) == "fit" and receiver(call) is not None]
            for split in _splits(function) if fits else ():
                for fit in fits:
                    if (scored := _scored_after(fit, split.held_out, function)) is not None:
                        yield from self._fit_on_all(fit, split, scored, function)
            for fit in fits:
                yield from self._fit_on_joined(fit, function)
            yield from self._loader_of_joined(function)

    def _fit_on_all(self, fit: ast.Call, split: "Split", scored: ast.Call, function: Function) -> Iterator[Finding]:
        arguments = [ast.unparse(arg) for arg in fit.args]
        if fit.lineno <= split.line or arguments[:2] != list(split.whole) or len(arguments) < 2:
            return
        if any(split.line < line < fit.lineno for name in split.whole for line, _ in function.assignments(name)):
            return
        given = re.compile(r"\(\s*" + r"\s*,\s*".join(split.whole) + r"\b")
        text, changes = given.subn("(" + ", ".join(split.train), function.source.segment(fit), count=1)
        yield self._finding(fit, scored, function, (function.replace(fit, text),) if changes else ())

    def _fit_on_joined(self, fit: ast.Call, function: Function) -> Iterator[Finding]:
        edits: list[Edit] = []
        scored = None
        for arg in fit.args[:2]:
            made = function.last_value(arg.id, fit.lineno) if isinstance(arg, ast.Name) else arg
            joined = _train_and_test(made)
            if made is None or joined is None:
                return
            train, held_out = joined
            scored = scored or _scored_after(fit, held_out, function)
            edits.append(function.replace(made, train))
        if scored is not None:
            yield self._finding(fit, scored, function, tuple(edits))

    def _loader_of_joined(self, function: Function) -> Iterator[Finding]:
        """`ConcatDataset([train_set, test_set])`, or their sum, where the test set has a loader of its own."""
        loaders = [call for call in function.calls if called_name(call) == "DataLoader" and call.args]
        for call in loaders:
            data = call.args[0]
            made = function.last_value(data.id, call.lineno) if isinstance(data, ast.Name) else data
            joined = _train_and_test(made)
            own = [c for c in loaders if joined is not None and ast.unparse(c.args[0]) == joined[1]]
            if made is not None and joined is not None and own:
                yield self._finding(call, own[0], function, (function.replace(made, joined[0]),))

    def _finding(self, fit: ast.Call, scored: ast.Call, function: Function, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            detector=self.name,
            file=function.source.path,
            line=fit.lineno,
            symbol=function.name,
            title="Fit on the training rows only",
            rationale=f"`{ast.unparse(fit)}` also reads the rows that `{ast.unparse(scored)}` (line {scored.lineno}) "
            "is to judge it by.",
            edits=edits,
        )


@dataclass(frozen=True, slots=True)
class Split:
    line: int
    whole: tuple[str, str]
    train: tuple[str, str]
    held_out: str


def _splits(function: Function) -> Iterator[Split]:
    """Calls of `train_test_split(X, y)` whose four results have names of their own."""
    for node in function.own:
        match node:
            case ast.Assign(
                targets=[ast.Tuple(elts=[ast.Name(a), ast.Name(b), ast.Name(c), ast.Name(_)])],
                value=ast.Call(args=[ast.Name(x), ast.Name(y), *_]) as call,
            ) if called_name(call) == "train_test_split" and not {a, c} & {x, y}:
                yield Split(node.lineno, (x, y), (a, c), b)


def _joined(made: ast.expr | None) -> list[str]:
    """Names that a concatenation puts together."""
    match made:
        case ast.BinOp(left=ast.Name(first), op=ast.Add(), right=ast.Name(second)) if "set" in f"{first}{second}":
            return [first, second]
        case ast.Call(args=[ast.List(elts=parts) | ast.Tuple(elts=parts), *_]) if called_name(made) in _CONCATENATES:
            return [ast.unparse(part) for part in parts]
        case ast.Call(func=ast.Attribute(value=first, attr="append"), args=[second, *_]) if (
            called_name(made) == "append"
        ):
            return [ast.unparse(first), ast.unparse(second)]
    return []


def _train_and_test(made: ast.expr | None) -> tuple[str, str] | None:
    """The training and the test part of what is put together of just these two."""
    parts = _joined(made)
    held_out = [part for part in parts if _HELD_OUT & set(words(part))]
    train = [part for part in parts if "train" in words(part)]
    return (train[0], held_out[0]) if len(parts) == 2 and len(train) == len(held_out) == 1 else None


def _scored_after(fit: ast.Call, held_out: str, function: Function) -> ast.Call | None:
    """A call below the fit that scores the same model on held-out rows, before it is fitted again."""
    model = ast.unparse(receiver(fit) or fit)
    models = {model, f"{model}.best_estimator_", *_names_of_best(model, function)}
    for call in sorted(function.calls, key=lambda call: call.lineno):
        owner = receiver(call)
        if call.lineno <= fit.lineno or owner is None or ast.unparse(owner) not in models:
            continue
        if called_name(call) == "fit":
            return None
        if called_name(call) in _SCORES and call.args and ast.unparse(call.args[0]) == held_out:
            return call
    return None


def _names_of_best(model: str, function: Function) -> Iterator[str]:
    """Names of what a search found: `best = search.best_estimator_`."""
    for node in function.own:
        if isinstance(node, ast.Assign) and ast.unparse(node.value) == f"{model}.best_estimator_":
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))

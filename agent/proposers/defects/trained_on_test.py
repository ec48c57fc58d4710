"""A model that is fitted on the rows it is then scored on, although a split was made.

Why it hurts: the test score measures memory; it is better than the truth, most of all for models that fit closely.

Source: Kapoor & Narayanan 2023, leakage type L1 (no clean separation of training and test); Islam et al. 2019.

    X_train, X_test, y_train, y_test = train_test_split(X, y)
    model.fit(X, y)                                 ->    model.fit(X_train, y_train)
    model.score(X_test, y_test)

Silent: a last fit on everything that nothing is scored with afterwards, and models scored on rows of another split.
"""

import ast
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

    def _fit_on_all(self, fit: ast.Call, split: "Split", scored: ast.Call, function: Function) -> Iterator[Finding]:
        arguments = [ast.unparse(arg) for arg in fit.args]
        if fit.lineno <= split.line or arguments[:2] != list(split.whole) or len(arguments) < 2:
            return
        if any(split.line < line < fit.lineno for name in split.whole for line, _ in function.assignments(name)):
            return
        text = ast.unparse(fit)
        old, new = f"({', '.join(split.whole)}", f"({', '.join(split.train)}"
        edit = function.replace(fit, text.replace(old, new, 1)) if old in text else None
        yield self._finding(fit, scored, function, (edit,) if edit is not None else ())

    def _fit_on_joined(self, fit: ast.Call, function: Function) -> Iterator[Finding]:
        edits: list[Edit] = []
        scored = None
        for arg in fit.args[:2]:
            if not isinstance(arg, ast.Name):
                return
            made = function.last_value(arg.id, fit.lineno)
            parts = _joined(made)
            held_out = [part for part in parts if _HELD_OUT & set(words(part))]
            train = [part for part in parts if "train" in words(part)]
            if made is None or len(held_out) != 1 or len(train) != 1 or len(parts) != 2:
                return
            scored = scored or _scored_after(fit, held_out[0], function)
            edits.append(function.replace(made, train[0]))
        if scored is not None:
            yield self._finding(fit, scored, function, tuple(edits))

    def _finding(self, fit: ast.Call, scored: ast.Call, function: Function, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            detector=self.name,
            file=function.source.path,
            line=fit.lineno,
            symbol=function.name,
            title="Fit on the training rows only",
            rationale=f"`{ast.unparse(fit)}` also learns the rows that `{ast.unparse(scored)}` (line {scored.lineno}) "
            "scores it on.",
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
        case ast.Call(args=[ast.List(elts=parts) | ast.Tuple(elts=parts), *_]) if called_name(made) in _CONCATENATES:
            return [ast.unparse(part) for part in parts]
        case ast.Call(func=ast.Attribute(value=first, attr="append"), args=[second, *_]) if (
            called_name(made) == "append"
        ):
            return [ast.unparse(first), ast.unparse(second)]
    return []


def _scored_after(fit: ast.Call, held_out: str, function: Function) -> ast.Call | None:
    """A call below the fit that scores the same model on held-out rows, before it is fitted again."""
    model = ast.unparse(receiver(fit) or fit)
    for call in sorted(function.calls, key=lambda call: call.lineno):
        owner = receiver(call)
        if call.lineno <= fit.lineno or owner is None or ast.unparse(owner) != model:
            continue
        if called_name(call) == "fit":
            return None
        if called_name(call) in _SCORES and call.args and ast.unparse(call.args[0]) == held_out:
            return call
    return None

"""Preprocessing is fitted on data it must not see.

Why it hurts: fitted before the split, the scaler, imputer or selector knows the test data and the score is too good;
fitted again on the data to evaluate, inputs are scaled otherwise than in training and the score is too low. Selection of
features before the split is the worst of these. Source: Kapoor and Narayanan 2023; rule W5518 of dslinter.

    before                                          after
    x = scaler.fit_transform(x)                     x_train, x_test = train_test_split(x)
    x_train, x_test = train_test_split(x)           x_train = scaler.fit_transform(x_train)
                                                    x_test = scaler.transform(x_test)

    x_test = scaler.fit_transform(x_test)           x_test = scaler.transform(x_test)

Not flagged: tokenisers, vocabularies and label encoders; pipelines; data that is changed between fit and split; a scaler
that is new for data that is never split.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...proposal import Edit, Evidence
from .base import Finding
from .program import Program, called_name, receiver
from .source import Function, words
from .training import HELD_OUT_WORDS, TRAIN_WORDS, mentions

PREDICTING = HELD_OUT_WORDS | {"predict", "prediction", "infer", "inference", "score", "submit", "submission"}
HARMLESS = frozenset("label encoder tokenizer vocab vocabulary binarizer lookup tsne umap".split())


@dataclass(frozen=True, slots=True)
class FitBeforeSplit:
    name: str = "fit_before_split"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in _fits(function, program):
                if finding := self._refit(function, call, program) or self._early(function, call):
                    yield finding

    def _refit(self, function: Function, call: ast.Call, program: Program) -> Finding | None:
        """`fit_transform` on held-out data by an object that was, or should have been, fitted before."""
        scaler = receiver(call)
        if scaler is None or isinstance(scaler, ast.Call) or not call.args:
            return None
        text = ast.unparse(scaler)
        held_out = mentions(call.args[0], HELD_OUT_WORDS) and not mentions(call.args[0], TRAIN_WORDS)
        fitted = any(
            called_name(c) in ("fit", "fit_transform")
            and c.lineno < call.lineno
            and ast.unparse(c.func).startswith(f"{text}.")
            for c in function.calls
        )
        if not (held_out and fitted) and not (_predicts(function) and _was_fitted_elsewhere(scaler, function, program)):
            return None
        new = f"{function.source.segment(scaler)}.transform"
        edit = function.replace(call, new + function.source.segment(call)[len(function.source.segment(call.func)) :])
        if len(call.args) > 1:
            edit = function.replace(call, f"{new}({function.source.segment(call.args[0])})")
        return Finding(
            self.name,
            function.source.path,
            call.lineno,
            function.name,
            f"Apply {text} as fitted in training; do not fit it again"[:72],
            f"{text} is fitted again on the data to be judged, so it is transformed otherwise than the training data was.",
            (edit,),
            (Evidence(function.source.path, call.lineno, "fitted again here"),),
        )

    def _early(self, function: Function, call: ast.Call) -> Finding | None:
        statement = function.source.statement(call)
        if not isinstance(statement, ast.Assign) or statement.value is not call or not call.args:
            return None
        if not isinstance(call.args[0], ast.Name) or not isinstance(statement.targets[0], ast.Name):
            return None
        split = _split_after(statement, statement.targets[0].id, function)
        if split is None:
            return None
        edits = _split_first(function, statement, call, split)
        if not edits:
            return None
        return Finding(
            self.name,
            function.source.path,
            call.lineno,
            function.name,
            "Fit preprocessing on the training part only",
            f"`{ast.unparse(call)[:80]}` sees all data, the test part included, before line {split.lineno} splits it.",
            edits,
            (Evidence(function.source.path, split.lineno, "the split comes after"),),
        )


def _fits(function: Function, program: Program) -> Iterator[ast.Call]:
    for call in function.calls:
        if called_name(call) == "fit_transform" and isinstance(call.func, ast.Attribute):
            named = set(words(ast.unparse(call.func.value).partition("(")[0]))
            made = {
                w
                for v, _ in program.values(call.func.value, function)
                if isinstance(v, ast.Call)
                for w in words(called_name(v))
            }
            if not (named | made) & HARMLESS:
                yield call


def _predicts(function: Function) -> bool:
    stem = frozenset(words(PurePosixPath(function.source.path).stem))
    return bool(function.words & PREDICTING) or bool(stem & PREDICTING and not stem & TRAIN_WORDS)


def _was_fitted_elsewhere(scaler: ast.expr, function: Function, program: Program) -> bool:
    """Whether the object comes from outside with its state: loaded, given by a caller, or kept on self."""
    if isinstance(scaler, ast.Attribute):
        return ast.unparse(scaler.value) == "self" and not any(
            c.func is not None and called_name(c)[:1].isupper() and not c.args and not c.keywords
            for _, c in (
                (0, v) for v, f in program.values(scaler, function) if isinstance(v, ast.Call) and f is function
            )
        )
    if not isinstance(scaler, ast.Name):
        return False
    value = function.last_value(scaler.id, scaler.lineno)
    if value is None:
        return scaler.id in function.parameters
    made = value.value if isinstance(value, ast.Subscript) else value
    if not isinstance(made, ast.Call):
        return False
    name = called_name(made)
    return "load" in words(name) or (bool(program.callees(made, function)) and program.find_class(name) is None)


def _split_after(statement: ast.Assign, name: str, function: Function) -> ast.Assign | None:
    """The `train_test_split` of that very variable in the same block, nothing touching it in between."""
    parent = function.source.parents[statement]
    block: list[ast.stmt] = getattr(parent, "body", [])
    if statement not in block:
        return None
    for later in block[block.index(statement) + 1 :]:
        value = later.value if isinstance(later, ast.Assign) else None
        if isinstance(later, ast.Assign) and isinstance(value, ast.Call) and called_name(value) == "train_test_split":
            given = [a.id for a in value.args if isinstance(a, ast.Name)]
            targets = later.targets[0].elts if isinstance(later.targets[0], ast.Tuple) else []
            named = all(isinstance(t, ast.Name) for t in targets)
            whole = len(targets) == 2 * len(value.args) == 2 * len(given)
            return later if name in given and named and whole else None
        if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(later)):
            return None
    return None


def _split_first(function: Function, statement: ast.Assign, call: ast.Call, split: ast.Assign) -> tuple[Edit, ...]:
    source = function.source
    name, raw = statement.targets[0].id, call.args[0].id  # type: ignore[attr-defined]
    value, targets = split.value, split.targets[0].elts  # type: ignore[attr-defined]
    place = [a.id for a in value.args].index(name)  # type: ignore[attr-defined]
    train, test = (targets[2 * place + i].id for i in (0, 1))
    labels = [source.segment(a) for a in call.args[1:]]
    if name != raw and any(isinstance(n, ast.Name) and n.id == name and n.lineno > split.lineno for n in function.own):
        return ()
    parts = {a.id: targets[2 * i].id for i, a in enumerate(value.args)}  # type: ignore[attr-defined]
    if any(label not in parts for label in labels):
        return ()
    scaler = source.segment(call.func.value)  # type: ignore[attr-defined]
    lines = []
    if isinstance(call.func.value, ast.Call):  # type: ignore[attr-defined]
        lines.append(f"scaler = {scaler}")
        scaler = "scaler"
        if "scaler" in source.text.replace(".", " ").split():
            return ()
    arguments = ", ".join([train, *(parts[label] for label in labels)])
    lines += [f"{train} = {scaler}.fit_transform({arguments})", f"{test} = {scaler}.transform({test})"]
    edits = [
        function.insert("\n".join(lines), "after", split),
        function.edit("delete_statement", **function.anchor(statement)),
    ]
    if name != raw:
        func = source.segment(value.func)
        given = ", ".join(
            [raw if a.id == name else a.id for a in value.args] + [source.segment(k) for k in value.keywords]
        )  # type: ignore[attr-defined]
        edits.append(function.replace(value, f"{func}({given})"))
    return tuple(edits)

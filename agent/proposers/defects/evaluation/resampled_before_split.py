"""Rows are made up or repeated before the test part is split off.

Why it hurts: copies and interpolations of test rows land in the training part, and training rows in the test part: the
score is far too good, most on the rare class it was done for. Source: Yang et al. 2022 (preprocessing leakage); arXiv
2604.04199; the advice of imbalanced-learn ("common pitfalls").

    before                                          after
    X, y = SMOTE().fit_resample(X, y)               a, b, c, d = train_test_split(X, y)
    a, b, c, d = train_test_split(X, y)             a, c = SMOTE().fit_resample(a, c)

Not flagged: resampling of training rows, pipelines, and a split of data that is not what was resampled.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit, Evidence
from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from ..training import TRAIN_WORDS, mentions

_RESAMPLES = frozenset({"fit_resample", "fit_sample"})


@dataclass(frozen=True, slots=True)
class ResampledBeforeSplit:
    name: str = "resampled_before_split"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not any(called_name(call) in _RESAMPLES for call in function.calls):
                continue
            for made, split in _pairs(function):
                yield self._finding(function, made, split)

    def _finding(self, function: Function, made: ast.Assign, split: ast.Assign) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            made.lineno,
            function.name,
            "Resample the training part only",
            f"`{ast.unparse(made.value)[:80]}` makes rows out of all rows, and line {split.lineno} then splits them: the "
            "two parts share their originals.",
            _edits(function, made, split),
            (Evidence(function.source.path, split.lineno, "the split comes after"),),
            confidence="high",
        )


def _pairs(function: Function) -> Iterator[tuple[ast.Assign, ast.Assign]]:
    """`x, y = sampler.fit_resample(a, b)` and the first split of `x, y` below it."""
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=[x, y])], value=ast.Call(args=[_, _]) as call):
                pass
            case _:
                continue
        if called_name(call) not in _RESAMPLES or any(mentions(arg, TRAIN_WORDS) for arg in call.args):
            continue
        names = [ast.unparse(x), ast.unparse(y)]
        for other in function.own:
            if (
                isinstance(other, ast.Assign)
                and isinstance(other.value, ast.Call)
                and called_name(other.value) == "train_test_split"
                and [ast.unparse(arg) for arg in other.value.args] == names
                and other.lineno > node.lineno
                and not any(
                    node.lineno < line < other.lineno for name in names for line, _ in function.assignments(name)
                )
            ):
                yield node, other
                break


def _edits(function: Function, made: ast.Assign, split: ast.Assign) -> tuple[Edit, ...]:
    target, call, given = split.targets[0], split.value, made.value
    if not isinstance(target, ast.Tuple) or len(target.elts) != 4:
        return ()
    if not isinstance(call, ast.Call) or not isinstance(given, ast.Call):
        return ()
    source = function.source
    made_names = {ast.unparse(e) for e in ast.walk(made.targets[0]) if isinstance(e, ast.Name)}
    raw = [source.segment(arg) for arg in given.args]
    if source.parents[made] is not source.parents[split]:
        return ()  # one of them runs on a condition
    for node in function.own:
        if isinstance(node, ast.Name) and node.id in made_names and node.lineno > (made.end_lineno or 0):
            inside = split.lineno <= node.lineno <= (split.end_lineno or 0)
            if not inside and (node.lineno < split.lineno or node.id not in raw):
                return ()  # the resampled rows have another use
    x_train, _, y_train, _ = (source.segment(element) for element in target.elts)
    if given.keywords or call.args[2:]:
        return ()
    new = f"{x_train}, {y_train} = {source.segment(given.func)}({x_train}, {y_train})"
    edits = [function.insert(new, "after", split), function.edit("delete_statement", **function.anchor(made))]
    old = [source.segment(arg) for arg in call.args]
    if old != raw:
        start, end = source.span(call)
        first, last = source.span(call.args[0])[0], source.span(call.args[1])[1]
        edits.append(function.replace(call, source.text[start:first] + ", ".join(raw) + source.text[last:end]))
    return tuple(edits)

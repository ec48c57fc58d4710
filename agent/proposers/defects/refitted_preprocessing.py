"""A scaler, imputer or selector is fitted again on the data to be judged.

Why it hurts: the model was trained on inputs transformed one way and is given inputs transformed another; how far off
depends on what else is in the batch, and a single input is scaled to nothing. Source: Kapoor and Narayanan 2023
(preprocessing on train and test set); rule W5518 of dslinter.

    before                                          after
    x_train = scaler.fit_transform(x_train)         x_train = scaler.fit_transform(x_train)
    x_test = scaler.fit_transform(x_test)           x_test = scaler.transform(x_test)

    scaler = joblib.load("scaler.pkl")              scaler = joblib.load("scaler.pkl")
    x = scaler.fit_transform(inputs)                x = scaler.transform(inputs)

Not flagged: label encoders and vocabularies; code that trains again on the new data; an object nobody fitted before;
methods without a `transform`, such as t-SNE.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .preprocessing import FITS, fits, is_held_out, is_restored
from .program import Program, called_name, receiver
from .source import Function, words
from .training import HELD_OUT_WORDS, TRAIN_WORDS, backwards

PREDICTING = HELD_OUT_WORDS | frozenset("predict prediction predictions infer inference score transform".split())
TRAINING = TRAIN_WORDS | frozenset("fit retrain refit update finetune".split())


@dataclass(frozen=True, slots=True)
class RefittedPreprocessing:
    name: str = "refitted_preprocessing"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            found = list(fits(function, program))
            for call, owner in found:
                fitted = _fitted_before(function, call, owner, found, program)
                edit = _edit(function, call, fitted) if fitted else None
                edits = (edit,) if edit is not None else _named(function, call, owner, found)
                if edits:
                    yield self._finding(function, call, owner, edits)

    def _finding(self, function: Function, call: ast.Call, owner: ast.expr, edits: tuple[Edit, ...]) -> Finding:
        text = called_name(owner) if isinstance(owner, ast.Call) else ast.unparse(owner)
        return Finding(
            self.name,
            function.source.path,
            call.lineno,
            function.name,
            f"Apply {text} as fitted in training; do not fit it again"[:72],
            f"{text} is fitted again to the data to be judged, which is then transformed otherwise than the training data was.",
            edits,
            (Evidence(function.source.path, call.lineno, "fitted again here"),),
        )


def _fitted_before(
    function: Function, call: ast.Call, owner: ast.expr, found: list[tuple[ast.Call, ast.expr]], program: Program
) -> str:
    """What to call instead, the preprocessor that has been fitted to training data; empty when there is none."""
    text, data = function.source.segment(owner), call.args[0]
    if is_held_out(data):
        for other, fitted in found:
            if other.lineno >= call.lineno or is_held_out(other.args[0]) or isinstance(fitted, ast.Call):
                continue
            if ast.unparse(fitted) == ast.unparse(owner):
                return text
            if _class_of(fitted, function, program) == _class_of(owner, function, program) != "":
                return function.source.segment(fitted)
    if _trains(function):
        return ""
    if is_restored(owner, function, program):
        return text
    if not function.words & PREDICTING:
        return ""
    return text if _kept_on_self(function, owner, program) or _given_fitted(function, owner, program) else ""


def _named(
    function: Function, call: ast.Call, owner: ast.expr, found: list[tuple[ast.Call, ast.expr]]
) -> tuple[Edit, ...]:
    """`Scaler().fit_transform(x_train)` and the same of `x_test`: one scaler, given a name."""
    source = function.source
    name = (words(called_name(owner)) or ("",))[-1] if isinstance(owner, ast.Call) else ""
    same = [c for c, other in found if ast.unparse(other) == ast.unparse(owner) and c.lineno < call.lineno]
    taken = any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(source.tree))
    first = source.statement(same[0]) if len(same) == 1 else None
    if not name or taken or first is None or not is_held_out(call.args[0]) or is_held_out(same[0].args[0]):
        return ()
    if called_name(same[0]) != "fit_transform" or called_name(call) != "fit_transform":
        return ()
    # The later one first: a replaced expression changes which one is the second.
    return (
        function.replace(call, f"{name}.transform({source.segment(call.args[0])})"),
        function.insert(f"{name} = {source.segment(owner)}", "before", first),
        function.replace(same[0], f"{name}.fit_transform({source.segment(same[0].args[0])})"),
    )


def _class_of(node: ast.expr, function: Function, program: Program) -> str:
    """The whole call that makes a preprocessor: two with the same arguments do the same."""
    made = {ast.unparse(value) for value, _ in program.values(node, function) if isinstance(value, ast.Call)}
    return made.pop() if len(made) == 1 else ""


def _trains(function: Function) -> bool:
    models = [c for c in function.calls if called_name(c) in ("fit", "partial_fit") and len(c.args) >= 2]
    return bool(function.words & TRAINING or backwards(function) or models)


def _kept_on_self(function: Function, owner: ast.expr, program: Program) -> bool:
    """Whether another method of the class fits `self.scaler`."""
    text = ast.unparse(owner)
    if function.owner is None or not text.startswith("self."):
        return False
    others = [f for f in function.source.functions if f.owner is function.owner and f is not function]
    return any(_is_fit_of(call, text) for other in others if not other.words & PREDICTING for call in other.calls)


def _given_fitted(function: Function, owner: ast.expr, program: Program) -> bool:
    """Whether it is a parameter that the caller has fitted, or may have."""
    if not isinstance(owner, ast.Name) or owner.id not in function.parameters or function.assignments(owner.id):
        return False
    callers = program.callers(function)
    return all(_is_fitted_in(caller, call, program) for caller, call in callers)


def _is_fitted_in(caller: Function, call: ast.Call, program: Program) -> bool:
    given = {ast.unparse(a) for a in [*call.args, *(k.value for k in call.keywords)] if isinstance(a, ast.Name)}
    return any(_is_fit_of(c, name) for name in given for c in caller.calls if c.lineno < call.lineno) or any(
        is_restored(ast.Name(name, lineno=call.lineno), caller, program) for name in given
    )


def _is_fit_of(call: ast.Call, text: str) -> bool:
    owner = receiver(call)
    return owner is not None and called_name(call) in FITS and ast.unparse(owner) == text


def _edit(function: Function, call: ast.Call, fitted: str) -> Edit | None:
    statement = function.source.statement(call)
    if called_name(call) == "fit_transform":
        return function.replace(call, f"{fitted}.transform({function.source.segment(call.args[0])})")
    if isinstance(statement, ast.Expr) and statement.value is call and fitted == ast.unparse(receiver(call) or call):
        return function.edit("delete_statement", **function.anchor(statement))
    return None

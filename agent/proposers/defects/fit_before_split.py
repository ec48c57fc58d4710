"""A scaler, imputer or selector is fitted to all data before the test part is split off.

Why it hurts: the training part then knows the test part, and the score is too good; selection of features before the
split is the worst of these. Source: Kapoor and Narayanan 2023 (294 papers in 17 fields); Yang et al. 2022.

    before                                          after
    x = scaler.fit_transform(x)                     x_train, x_test = train_test_split(x)
    x_train, x_test = train_test_split(x)           x_train = scaler.fit_transform(x_train)
                                                    x_test = scaler.transform(x_test)

Not flagged: label encoders and vocabularies; pipelines; a second split of data that is training data already; data that
is used otherwise between the fit and the split, or after it as a whole.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .preprocessing import TRAINED_ON, fits
from .program import Program, called_name, receiver
from .source import Function, words
from .training import mentions


@dataclass(frozen=True)
class Split:
    """`x_train, x_test, y_train, y_test = train_test_split(x, y)`."""

    statement: ast.Assign
    call: ast.Call
    names: tuple[str, ...]

    def parts(self, place: int) -> tuple[str, str]:
        return self.names[2 * place], self.names[2 * place + 1]

    def train_part(self, given: ast.expr) -> str | None:
        """What the split makes of one of its arguments for training; None for what it is not given."""
        texts = [ast.unparse(argument) for argument in self.call.args]
        text = ast.unparse(given)
        return self.parts(texts.index(text))[0] if text in texts else None


@dataclass(frozen=True)
class Step:
    """One fit on the way to the split: the statements that do it, what comes in, and the calls."""

    statements: tuple[ast.stmt, ...]
    fit: ast.Call
    raw: ast.expr


@dataclass(frozen=True, slots=True)
class FitBeforeSplit:
    name: str = "fit_before_split"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            known = [call for call, _ in fits(function, program)]
            for split in _splits(function) if known else ():
                for place, argument in enumerate(split.call.args):
                    steps = _steps(argument, split, known, function)
                    edits = _edits(steps, place, split, function) if steps else ()
                    if edits:
                        yield self._finding(function, steps[0].fit, split, edits)

    def _finding(self, function: Function, fit: ast.Call, split: Split, edits: tuple[Edit, ...]) -> Finding:
        line = split.statement.lineno
        return Finding(
            self.name,
            function.source.path,
            fit.lineno,
            function.name,
            "Fit preprocessing to the training part only",
            f"`{ast.unparse(fit)[:80]}` sees all data, the test part included, before line {line} splits it.",
            edits,
            (Evidence(function.source.path, line, "the split comes after"),),
        )


def _splits(function: Function) -> Iterator[Split]:
    for node in function.own:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        target = node.targets[0]
        if called_name(node.value) != "train_test_split" or not isinstance(target, ast.Tuple):
            continue
        names = tuple(ast.unparse(element) for element in target.elts)
        if len(names) == 2 * len(node.value.args):
            yield Split(node, node.value, names)


def _steps(argument: ast.expr, split: Split, known: list[ast.Call], function: Function) -> list[Step]:
    """Fits that lead to an argument of the split, first to last; empty when anything else stands in between."""
    found: list[Step] = []
    if argument in known and isinstance(argument, ast.Call) and called_name(argument) == "fit_transform":
        found.append(Step((), argument, argument.args[0]))
        argument = argument.args[0]
    block: list[ast.stmt] = getattr(function.source.parents[split.statement], "body", [])
    if split.statement not in block or not isinstance(argument, ast.Name):
        return [] if mentions(argument, TRAINED_ON) else found
    above = block[: block.index(split.statement)]
    name = argument.id
    while above:
        statement = above.pop()
        if name not in _names(statement):
            continue
        step = _step(statement, name, above, known)
        if step is None or not isinstance(step.raw, ast.Name):
            return _unless_trained_on([step, *found] if step is not None else found)
        above = [s for s in above if s not in step.statements]
        name = step.raw.id
        found.insert(0, step)
    return _unless_trained_on(found)


def _unless_trained_on(steps: list[Step]) -> list[Step]:
    return [] if any(mentions(step.raw, TRAINED_ON) for step in steps) else steps


def _step(statement: ast.stmt, name: str, above: list[ast.stmt], known: list[ast.Call]) -> Step | None:
    """`name = s.fit_transform(raw)`, or `name = s.transform(raw)` after `s.fit(raw)`."""
    if not isinstance(statement, ast.Assign) or ast.unparse(statement.targets[0]) != name:
        return None
    call = statement.value
    if not isinstance(call, ast.Call) or not call.args:
        return None
    if call in known and called_name(call) == "fit_transform":
        return Step((statement,), call, call.args[0])
    owner = receiver(call)
    if called_name(call) != "transform" or owner is None:
        return None
    for other in reversed(above):
        fit = other.value if isinstance(other, ast.Expr) else None
        if isinstance(fit, ast.Call) and fit in known and ast.unparse(receiver(fit) or fit) == ast.unparse(owner):
            same = ast.unparse(fit.args[0]) == ast.unparse(call.args[0])
            return Step((other, statement), fit, fit.args[0]) if same else None
    return None


def _edits(steps: list[Step], place: int, split: Split, function: Function) -> tuple[Edit, ...]:
    source, statement = function.source, split.statement
    touched = {target for step in steps for s in step.statements for target in _stored(s)}
    if any(isinstance(n, ast.Name) and n.id in touched and n.lineno > (statement.end_lineno or 0)
           and n.id not in split.names for n in function.own):  # fmt: skip
        return ()
    train, test = split.parts(place)
    lines: list[str] = []
    for step in steps:
        labels = [split.train_part(label) for label in step.fit.args[1:]]
        owner = receiver(step.fit)
        if owner is None or step.fit.keywords or None in labels:
            return ()
        text = source.segment(owner)
        if isinstance(owner, ast.Call):
            text = (words(called_name(owner)) or ("",))[-1]
            if any(isinstance(n, ast.Name) and n.id == text for n in ast.walk(source.tree)) or not text.isidentifier():
                return ()
            lines.append(f"{text} = {source.segment(owner)}")
        given = ", ".join([train, *(label for label in labels if label)])
        lines += [f"{train} = {text}.fit_transform({given})", f"{test} = {text}.transform({test})"]
    edits = [function.insert("\n".join(lines), "after", statement)]
    edits += [function.edit("delete_statement", **function.anchor(s)) for step in steps for s in step.statements]
    old, raw = split.call.args[place], steps[0].raw
    if ast.unparse(old) != ast.unparse(raw):
        text = source.segment(split.call)
        edits.append(function.replace(split.call, text.replace(source.segment(old), source.segment(raw), 1)))
    return tuple(edits)


def _names(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _stored(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

"""Inputs and labels are shuffled apart from each other.

Why it hurts: after it every input has the label of another; the loss stays at that of chance, and the model learns the
share of the classes. Source: Humbatova et al. 2020 (wrong labels for training data).

    before                                          after
    np.random.shuffle(x)                            order = np.random.permutation(len(x))
    np.random.shuffle(y)                            x[:] = [x[i] for i in order]
                                                    y[:] = [y[i] for i in order]

    x = x[torch.randperm(n)]                        order = torch.randperm(n)
    y = y[torch.randperm(n)]                        x = x[order]
                                                    y = y[order]

Not flagged: the same seed set before each, one shared index, and names that are not inputs and labels.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words

_INPUTS = frozenset(
    "x xs data input inputs image images img imgs feature features text texts sentence sentences sample samples".split()
)
_LABELS = frozenset({"y", "ys", "label", "labels", "target", "targets"})
_PERMUTES = ("torch.randperm", "numpy.random.permutation")


@dataclass(frozen=True, slots=True)
class IndependentShuffle:
    name: str = "independent_shuffle"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if not any(
                called_name(c) in ("shuffle", "randperm", "permutation", "train_test_split") for c in function.calls
            ):
                continue
            for first, second in zip(_shuffles(function), _shuffles(function)[1:], strict=False):
                if _is_pair(first[1], second[1]) and _beside(first[0], second[0], function):
                    yield self._finding(function, first, second, _one_order(function, first, second))
            for one, two in zip(_indexed(function), _indexed(function)[1:], strict=False):
                if _is_pair(one[1], two[1]) and _beside(one[0], two[0], function):
                    yield self._finding(function, one, two, _one_index(function, one, two))
            for a, b in zip(_splits(function), _splits(function)[1:], strict=False):
                if _is_pair(a[1], b[1]) and _beside(a[0], b[0], function):
                    yield self._finding(function, a, b, _one_split(function, a, b))

    def _finding(self, function: Function, first: "Place", second: "Place", edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            second[0].lineno,
            function.name,
            f"Shuffle {first[1]} and {second[1]} together"[:72],
            f"Line {first[0].lineno} gives `{first[1]}` one random order and line {second[0].lineno} gives `{second[1]}` "
            "another: inputs no longer have their own labels.",
            edits,
            confidence="high",
        )


Place = tuple[ast.stmt, str, ast.Call]


def _shuffles(function: Function) -> list[Place]:
    """`np.random.shuffle(x)`, `random.shuffle(x)` as statements, with x."""
    found: list[Place] = []
    for node in function.own:
        match node:
            case ast.Expr(value=ast.Call(args=[ast.Name() | ast.Attribute() as what], keywords=[]) as call):
                if called_name(call) == "shuffle" and isinstance(call.func, ast.Attribute):
                    found.append((node, ast.unparse(what), call))
    return found


def _indexed(function: Function) -> list[Place]:
    """`x = x[torch.randperm(n)]`, with x and the call."""
    found: list[Place] = []
    for node in function.own:
        match node:
            case ast.Assign(targets=[target], value=ast.Subscript(value=value, slice=ast.Call() as call)):
                if function.source.full(call.func) in _PERMUTES and ast.unparse(value) == ast.unparse(target):
                    found.append((node, ast.unparse(target), call))
    return found


def _splits(function: Function) -> list[Place]:
    """`a, b = train_test_split(x)` without a fixed order, with x."""
    found: list[Place] = []
    for node in function.own:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=[_, _])], value=ast.Call(args=[what]) as call):
                fixed = keyword_of(call, "random_state") or keyword_of(call, "shuffle")
                if called_name(call) == "train_test_split" and fixed is None and not _has_star(call):
                    found.append((node, ast.unparse(what), call))
    return found


def _has_star(call: ast.Call) -> bool:
    return any(keyword.arg is None for keyword in call.keywords)


def _is_pair(first: str, second: str) -> bool:
    """`x_train` and `y_train`: inputs and labels, by names that agree otherwise."""
    one, two = words(first), words(second)
    rest = [tuple(w for w in said if w not in _INPUTS | _LABELS) for said in (one, two)]
    if rest[0] != rest[1]:
        return False
    return bool(_INPUTS & set(one) and _LABELS & set(two)) or bool(_LABELS & set(one) and _INPUTS & set(two))


def _beside(first: ast.stmt, second: ast.stmt, function: Function) -> bool:
    """One right after the other: a seed in between would give both the same order."""
    parent = function.source.parents[first]
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, [])
        if first in block and second in block:
            return bool(block.index(second) - block.index(first) == 1)
    return False


def _is_free(name: str, function: Function) -> bool:
    return not any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(function.source.tree))


def _one_order(function: Function, first: Place, second: Place) -> tuple[Edit, ...]:
    owner = function.source.segment(first[2].func).rpartition(".")[0]
    full = function.source.full(first[2].func)
    if not _is_free("order", function) or full not in ("numpy.random.shuffle", "random.shuffle"):
        return ()
    x, y = first[1], second[1]
    made = (
        f"{owner}.permutation(len({x}))" if full.startswith("numpy") else f"{owner}.sample(range(len({x})), len({x}))"
    )
    code = f"order = {made}\n{x}[:] = [{x}[i] for i in order]"
    return (
        function.rewrite(first[0], code),
        function.rewrite(second[0], f"{y}[:] = [{y}[i] for i in order]"),
    )


def _one_index(function: Function, first: Place, second: Place) -> tuple[Edit, ...]:
    if not _is_free("order", function):
        return ()
    code = f"order = {function.source.segment(first[2])}\n{first[1]} = {first[1]}[order]"
    return (
        function.rewrite(first[0], code),
        function.rewrite(second[0], f"{second[1]} = {second[1]}[order]"),
    )


def _one_split(function: Function, first: Place, second: Place) -> tuple[Edit, ...]:
    source = function.source
    if [ast.unparse(k) for k in first[2].keywords] != [ast.unparse(k) for k in second[2].keywords]:
        return ()
    targets = ", ".join(source.segment(place[0].targets[0]).strip("()") for place in (first, second)  # type: ignore[attr-defined]
                        )  # fmt: skip
    call = source.spliced(first[2], first[2].args[0], f"{first[1]}, {second[1]}")
    return (
        function.rewrite(first[0], f"{targets} = {call}"),
        function.edit("delete_statement", **function.anchor(second[0])),
    )

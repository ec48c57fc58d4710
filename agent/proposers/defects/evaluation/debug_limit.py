"""A limit from debugging is left in: training ends after one batch, or after a few.

Why it hurts: an epoch is a batch, and what is reported as training is not. Source: Islam et al. 2019; Lightning's own
warning about `fast_dev_run`.

    before                                  after
    for x, y in loader:                     for x, y in loader:
        f(net(x), y).backward()                 f(net(x), y).backward()
        optimizer.step()                        optimizer.step()
        break

    Trainer(fast_dev_run=True)              Trainer()

    train_data = train_data[:100]  # debug

A slice of the training data without such a comment is only told.

Not flagged: a limit that is a variable or an option, and loops that only look at the first batch.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from ..training import HELD_OUT_WORDS, TRAIN_WORDS, is_backward, is_mini_batch_loop

_SMALL = 100
_FEW = 10
"""Larger limits on a trainer are a choice of how long an epoch is."""
_ROWS = 1000
_DATA = frozenset("data dataset set ds df samples texts examples files images x rows".split())
_DEBUG = ("debug", "remove", "todo", "fixme", "temporary", "quick test", "for testing", "tmp")
_SWITCHES = frozenset({"fast_dev_run"})
_LIMITS = frozenset({"limit_train_batches", "overfit_batches"})


@dataclass(frozen=True, slots=True)
class DebugLimit:
    name: str = "debug_limit"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if is_mini_batch_loop(node) and _learns(node):
                    yield from self._left_early(node, function)  # type: ignore[arg-type]
                elif isinstance(node, ast.Call) and called_name(node) == "Trainer":
                    yield from self._trainer(node, function)
                elif isinstance(node, ast.Assign):
                    yield from self._sliced(node, function)

    def _sliced(self, node: ast.Assign, function: Function) -> Iterator[Finding]:
        """`train_data = train_data[:100]`, `train_set = train_set.select(range(100))`."""
        name = ast.unparse(node.targets[0])
        if not _is_training_data(name) or not _is_small_part(node.value, name):
            return
        lines = function.source.text.split("\n")
        comments = [line.partition("#")[2].lower() for line in lines[max(node.lineno - 2, 0) : node.end_lineno]]
        meant = any(word in comment for comment in comments for word in _DEBUG)
        edits = (function.edit("delete_statement", **function.anchor(node)),) if meant else ()
        yield self._finding(function, node, "trains on the first rows only", edits)

    def _left_early(self, loop: ast.For, function: Function) -> Iterator[Finding]:
        for statement in loop.body:
            if isinstance(statement, ast.Break):
                yield self._finding(function, statement, "leaves the loop after its first batch",
                                    (function.edit("delete_statement", **function.anchor(statement)),))  # fmt: skip
            elif isinstance(statement, ast.If) and _is_small_count(statement, loop):
                yield self._finding(function, statement, "leaves the loop after a few batches",
                                    (function.edit("delete_statement", **function.anchor(statement)),))  # fmt: skip

    def _trainer(self, call: ast.Call, function: Function) -> Iterator[Finding]:
        for keyword in call.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            named = keyword.arg or ""
            on = named in _SWITCHES and value is True
            small = named in _LIMITS and type(value) is int and 0 < value <= _FEW
            if on or small:
                edit = function.edit("remove_argument", argument=f"{named}=", within=ast.unparse(call.func))
                yield self._finding(function, call, f"trains on a few batches: `{named}={value!r}`", (edit,))

    def _finding(self, function: Function, node: ast.stmt | ast.expr, why: str, edits: tuple[Edit, ...]) -> Finding:
        return Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            "Train on all batches",
            f"`{ast.unparse(node)[:60]}` {why}.",
            edits,
            confidence="high" if edits else "low",
        )


def _learns(loop: ast.AST) -> bool:
    """Whether a loop computes gradients and takes steps: without steps it measures something."""
    inner = list(ast.walk(loop))
    return any(is_backward(node) for node in inner) and any(
        isinstance(node, ast.Call) and called_name(node) == "step" for node in inner
    )


def _is_training_data(name: str) -> bool:
    said = set(words(name))
    return bool(said & TRAIN_WORDS and said & _DATA) and not said & HELD_OUT_WORDS


def _is_small_part(value: ast.expr, name: str) -> bool:
    """The first rows of the name itself, a few by number."""
    match value:
        case ast.Subscript(
            value=base, slice=ast.Slice(lower=None | ast.Constant(value=0), upper=ast.Constant(value=n), step=None)
        ):
            pass
        case ast.Call(
            func=ast.Attribute(value=base, attr="select"),
            args=[ast.Call(func=ast.Name("range"), args=[ast.Constant(value=n)])],
        ):
            pass
        case ast.Call(func=ast.Attribute(value=base, attr="head"), args=[ast.Constant(value=n)]):
            pass
        case _:
            return False
    return ast.unparse(base) == name and isinstance(n, int) and 0 < n <= _ROWS


def _is_small_count(node: ast.If, loop: ast.For) -> bool:
    """`if i == 10: break` of a loop that counts its batches in `i`."""
    counted = (
        loop.target.elts[0] if isinstance(loop.target, ast.Tuple) and "enumerate" in ast.unparse(loop.iter) else None
    )
    match node:
        case ast.If(
            test=ast.Compare(
                left=ast.Name(name), ops=[ast.Eq() | ast.Gt() | ast.GtE()], comparators=[ast.Constant(limit)]
            ),
            body=[ast.Break()],
            orelse=[],
        ):
            return isinstance(counted, ast.Name) and counted.id == name and type(limit) is int and limit <= _SMALL
    return False

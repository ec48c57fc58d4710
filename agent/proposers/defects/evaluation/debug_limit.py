"""A limit from debugging is left in: training ends after one batch, or after a few.

Why it hurts: an epoch is a batch, and what is reported as training is not. Source: Islam et al. 2019; Lightning's own
warning about `fast_dev_run`.

    before                                  after
    for x, y in loader:                     for x, y in loader:
        f(net(x), y).backward()                 f(net(x), y).backward()
        optimizer.step()                        optimizer.step()
        break

    Trainer(fast_dev_run=True)              Trainer()

Not flagged: a limit that is a variable or an option, loops that only look at the first batch, and limits in a file that
is a demonstration of the framework.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function
from ..training import is_backward, is_mini_batch_loop

_SMALL = 100
_FEW = 10
"""Larger limits on a trainer are a choice of how long an epoch is."""
_SWITCHES = frozenset({"fast_dev_run"})
_LIMITS = frozenset({"limit_train_batches", "overfit_batches"})


@dataclass(frozen=True, slots=True)
class DebugLimit:
    name: str = "debug_limit"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for node in function.own:
                if is_mini_batch_loop(node) and any(is_backward(inner) for inner in ast.walk(node)):
                    yield from self._left_early(node, function)  # type: ignore[arg-type]
                elif isinstance(node, ast.Call) and called_name(node) == "Trainer":
                    yield from self._trainer(node, function)

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
            confidence="high",
        )


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

"""What the last batch left behind, scored or printed as if it were the epoch's.

Why it hurts: `accuracy_score(y, predictions)` below the loop scores the last few rows; a loss printed once an epoch jumps
with the last batch, and people choose settings by it.

Source: Humbatova et al. 2020 (validation of the model). What is decided or returned by a leftover is `last_batch_as_epoch`.

    for x, y in loader:                                   found, truth = [], []
        predictions = net(x).argmax(1)                    for x, y in loader:
    print(accuracy_score(y, predictions))        ->           found.append(net(x).argmax(1)); truth.append(y)
                                                          print(accuracy_score(torch.cat(truth), torch.cat(found)))

Shown without edits: how batches are to be joined is not in the code. Silent: loops that are left early, text that says it
is the last or the final value, names the loop collects, and values that carry on from themselves.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .base import Finding
from .program import Program, called_name
from .source import Function, words
from .training import is_mini_batch_loop

_METRICS = re.compile(r"(accuracy|f1|auc|precision|recall|balanced_accuracy|r2|fbeta|average_precision)_score$|"
                      r"^(mean_squared_error|mean_absolute_error|classification_report|confusion_matrix|roc_curve)$")  # fmt: skip
_REPORTS = frozenset({"print", "info", "write", "debug", "log"})
_LAST = re.compile(r"\b(last|final|latest|batch|step|iter\w*|current|running|smooth\w*|ema)\b", re.I)
_CARRIED = frozenset("last final latest running avg average mean total sum smooth smoothed ema best epoch".split())
Loop = ast.For | ast.AsyncFor


@dataclass(frozen=True, slots=True)
class LastBatchReported:
    name: str = "last_batch_reported"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for loop, rest in _loops(function):
                left = _left_by_each_batch(loop)
                for statement in rest:
                    if found := _scored(statement, left) or _printed(statement, left, loop, function):
                        yield self._finding(found, loop, function)
                    left = {name for name in left if name not in _names(statement, ast.Store)}

    def _finding(self, found: tuple[ast.Call, str], loop: Loop, function: Function) -> Finding:
        call, name = found
        printed = called_name(call) in _REPORTS
        return Finding(
            detector=self.name,
            file=function.source.path,
            line=call.lineno,
            symbol=function.name,
            title=f"{'Print' if printed else 'Score'} {name} of every batch, not only of the last"[:72],
            rationale=f"`{name}` is what the last pass of the loop on line {loop.lineno} left behind; line {call.lineno} "
            "takes it for the whole.",
            edits=(),
            effect="visibility" if printed else "score",
        )


def _loops(function: Function) -> Iterator[tuple[Loop, list[ast.stmt]]]:
    """Loops over batches that run to their end, with the statements that follow them in their block."""
    for node in function.own:
        if not isinstance(node, Loop) or not is_mini_batch_loop(node) or node.orelse:
            continue
        if any(isinstance(inner, ast.Break | ast.Return | ast.Yield) for inner in ast.walk(node)):
            continue
        parent = function.source.parents[node]
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and node in block:
                yield node, block[block.index(node) + 1 :]


def _left_by_each_batch(loop: Loop) -> set[str]:
    """Names that every pass sets anew from what the loop hands out, and that the loop collects nowhere."""
    made = _names(loop.target, ast.Store)
    body = [inner for s in loop.body for inner in (s.body if isinstance(s, ast.With) else [s])]
    for statement in body:
        if isinstance(statement, ast.Assign) and _names(statement.value, ast.Load) & made:
            made |= {n for target in statement.targets for n in _names(target, ast.Store)}
    collected = {name for s in loop.body for node in ast.walk(s) for name in _collects(node)}
    return {name for name in made if name not in collected and not _CARRIED & set(words(name))}


def _collects(node: ast.AST) -> set[str]:
    """Names that a statement adds to something, or that are made from themselves."""
    if isinstance(node, ast.AugAssign):
        return _names(node, ast.Load) | _names(node, ast.Store)
    if isinstance(node, ast.Call) and called_name(node) in (
        "append",
        "extend",
        "update",
        "add",
        "add_batch",
        "concat",
        "cat",
    ):
        return {name for arg in (*node.args, *node.keywords) for name in _names(arg, ast.Load)}
    if isinstance(node, ast.Assign):
        stored = {name for target in node.targets for name in _names(target, ast.Store)}
        reads = _names(node.value, ast.Load)
        # `loss_mean = (i * loss_mean + loss) / (i + 1)` collects the loss too.
        return reads | stored if stored & reads and isinstance(node.value, ast.BinOp) else set()
    return set()


def _scored(statement: ast.stmt, left: set[str]) -> tuple[ast.Call, str] | None:
    """A metric over names that are all the last batch's."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and _METRICS.search(called_name(node)) and len(node.args) >= 2:
            read = [_names(arg, ast.Load) & left for arg in node.args[:2]]
            if all(read):
                return node, sorted(read[1])[0]
    return None


def _printed(statement: ast.stmt, left: set[str], loop: Loop, function: Function) -> tuple[ast.Call, str] | None:
    """An epoch's line of text with the loss of its last batch."""
    if (
        not isinstance(statement, ast.Expr)
        or not isinstance(statement.value, ast.Call)
        or not function.source.loops(loop)
    ):
        return None
    call = statement.value
    text = " ".join(n.value for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    if called_name(call) not in _REPORTS or "epoch" not in text.lower() or _LAST.search(text):
        return None
    names = sorted(name for name in _names(call, ast.Load) & left if "loss" in name.lower())
    return (call, names[0]) if names else None


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}

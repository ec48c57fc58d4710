"""Losses are added up with the graphs they came from.

Why it hurts: every step keeps its activations until the epoch ends; memory grows with each batch, and long epochs die
or force small batches. Source: the PyTorch FAQ ("My model reports out of memory"); Humbatova et al. 2020.

    before                                  after
    loss.backward()                         loss.backward()
    total += loss                           total += loss.detach()

Not flagged: totals that are differentiated themselves, losses that were detached, loops without gradients.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, receiver
from ..source import Function
from ..training import is_backward

_OF_TENSORS = frozenset({"stack", "cat", "backward", "grad", "all_reduce", "reduce", "gather"})
_IF_TENSOR = frozenset({"backward", "item", "detach", "cpu", "data", "div_", "mean"})


@dataclass(frozen=True, slots=True)
class GraphInTotal:
    name: str = "graph_in_total"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            losses = _differentiated(function)
            for node, total, loss, edit in _kept(function) if losses else ():
                loops = function.source.loops(node)
                shared = [call for call in losses.get(loss, []) if loops and loops[0] in function.source.loops(call)]
                if not shared or total in losses or _is_detached(loss, node, function) or _is_used(total, function):
                    continue
                if any(line >= loops[-1].lineno and line <= (loops[-1].end_lineno or 0)
                       and loops[0] in _loops_at(function, value) for line, value in function.assignments(total)):  # fmt: skip
                    continue  # set anew at every step
                yield Finding(
                    self.name,
                    function.source.path,
                    node.lineno,
                    function.name,
                    f"Add up {loss} without its graph"[:72],
                    f"`{ast.unparse(node)[:60]}` keeps the graph of every step's `{loss}` until `{total}` is gone.",
                    (edit,),
                    effect="cost",
                    confidence="high",
                    safe=True,
                )


def _differentiated(function: Function) -> dict[str, list[ast.Call]]:
    """Names that `backward` is called on, or that it is given."""
    found: dict[str, list[ast.Call]] = {}
    for call in function.calls:
        if not is_backward(call):
            continue
        target: ast.expr | None = receiver(call)
        if isinstance(target, ast.Call) and target.args:
            target = target.args[0]  # scaler.scale(loss).backward()
        for one in (target, *call.args[:1]):
            if isinstance(one, ast.Name | ast.BinOp):
                for name in (n.id for n in ast.walk(one) if isinstance(n, ast.Name)):
                    found.setdefault(name, []).append(call)
    return found


def _kept(function: Function) -> Iterator[tuple[ast.stmt, str, str, Edit]]:
    """`total += loss` and `losses.append(loss)`: the statement, the total, the loss, and the edit."""
    for node in function.own:
        match node:
            case ast.AugAssign(target=target, op=ast.Add(), value=ast.Name(loss)):
                total = ast.unparse(target)
                code = f"{total} += {loss}.detach()"
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="append"), args=[ast.Name(loss)])):
                total = ast.unparse(owner)
                code = f"{total}.append({loss}.detach())"
            case _:
                continue
        yield node, total, loss, function.rewrite(node, code)


def _is_detached(loss: str, node: ast.stmt, function: Function) -> bool:
    """Whether the name was given a number or a detached value anywhere in the loop."""
    return any(
        isinstance(value, ast.Call)
        and called_name(value) in ("item", "detach", "float", "reduce_tensor", "numpy", "mean")
        for _, value in function.assignments(loss)
    )


def _is_used(total: str, function: Function) -> bool:
    """Whether the total is a tensor to somebody: added to a loss, stacked, differentiated."""
    for node in function.own:
        given = node.args if isinstance(node, ast.Call) and called_name(node) in _OF_TENSORS else []
        if any(ast.unparse(arg) == total for arg in given):
            return True
        if isinstance(node, ast.Attribute) and node.attr in _IF_TENSOR and ast.unparse(node.value) == total:
            return True
    return False


def _loops_at(function: Function, value: ast.expr) -> list[object]:
    try:
        return list(function.source.loops(value))
    except KeyError:
        return []

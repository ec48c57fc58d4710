"""A sum over samples is divided by the number of batches, or a sum of batch means by the number of samples.

Why it hurts: the reported accuracy is too large by the batch size, or the reported loss too small by it, and both
change with the batch size. Source: Tambon et al. (wrong calculation is the most common silent symptom).

    before                                          after
    for x, y in loader:                             for x, y in loader:
        right += (net(x).argmax(1) == y).sum()          right += (net(x).argmax(1) == y).sum()
    return right / len(loader)                      return right / len(loader.dataset)

Not flagged: sums divided by something else in between, losses that are sums, means weighted by the size of the batch,
and loops over anything that is not called a loader.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Evidence
from ..base import Finding
from ..losses import FUNCTIONS
from ..program import Program, called_name
from ..source import Function, words

_SUMMED = ("reduction='sum'", "size_average=False", "reduction='none'", 'reduction="sum"', 'reduction="none"')
_LOADERS = frozenset({"loader", "dataloader", "loaders"})


@dataclass(frozen=True, slots=True)
class CountOverBatches:
    name: str = "count_over_batches"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if "loader" not in function.source.text:
                continue
            for total, added, loader in _totals(function):
                for node in function.own:
                    match node:
                        case ast.BinOp(left=left, op=ast.Div(), right=right):
                            pass
                        case _:
                            continue
                    if ast.unparse(left) not in (total, f"float({total})", f"{total}.item()", f"{total}.float()"):
                        continue
                    yield from self._divided(node, right, added, loader, function)

    def _divided(
        self, node: ast.BinOp, right: ast.expr, added: ast.AugAssign, loader: str, function: Function
    ) -> Iterator[Finding]:
        by, source = ast.unparse(right), function.source
        if node.lineno <= added.lineno or any(source.loops(node)[:1] == [loop] for loop in source.loops(added)[:1]):
            return
        if by == f"len({loader})" and _counts_samples(added.value):
            new, what, other = f"len({loader}.dataset)", "samples", "batches"
        elif by == f"len({loader}.dataset)" and _is_batch_mean(added.value, function):
            new, what, other = f"len({loader})", "means of batches", "samples"
        else:
            return
        text, old = source.segment(node), source.segment(right)
        at = text.rindex(old)
        yield Finding(
            self.name,
            source.path,
            node.lineno,
            function.name,
            f"Divide the sum over {what} by their number",
            f"`{ast.unparse(added)[:80]}` adds up {what}; `{ast.unparse(node)[:60]}` divides by the number of {other}.",
            (function.replace(node, text[:at] + new + text[at + len(old) :]),),
            (Evidence(source.path, added.lineno, "added up here"),),
            confidence="high" if what == "samples" else "medium",
        )


def _totals(function: Function) -> Iterator[tuple[str, ast.AugAssign, str]]:
    """`total += ...` in a loop over a loader: the total, the statement, the loader."""
    for node in function.own:
        if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add):
            continue
        loops = function.source.loops(node)
        if len(loops) == 0 or not isinstance(loops[0], ast.For):
            continue
        loader: ast.expr = loops[0].iter
        while isinstance(loader, ast.Call) and called_name(loader) in ("enumerate", "tqdm", "iter") and loader.args:
            loader = loader.args[0]
        if _LOADERS & set(words(ast.unparse(loader))) and isinstance(loader, ast.Name | ast.Attribute):
            yield ast.unparse(node.target), node, ast.unparse(loader)


def _counts_samples(value: ast.expr) -> bool:
    """`(pred == y).sum().item()`, `torch.sum(pred == y)`; a division anywhere makes it something else."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and not value.args:
        if value.func.attr == "sum":
            return _is_match(value.func.value)
        if value.func.attr not in ("item", "cpu", "float", "int", "detach", "double"):
            return False
        value = value.func.value
    match value:
        case ast.Call(func=ast.Attribute(attr="sum"), args=[inner]):
            return _is_match(inner)
        case ast.Call(func=ast.Name("int" | "float"), args=[inner]):
            return _counts_samples(inner)
    return False


def _is_match(node: ast.expr) -> bool:
    match node:
        case ast.Compare(ops=[ast.Eq()]):
            return True
        case ast.Call(func=ast.Attribute(attr="eq")):
            return True
        case ast.Call(func=ast.Attribute(value=inner, attr="float" | "int" | "double" | "cpu" | "long" | "type")):
            return _is_match(inner)
    return False


def _is_batch_mean(value: ast.expr, function: Function) -> bool:
    """`loss.item()` of a loss with the default reduction, as it is written."""
    if any(mark in function.source.text for mark in _SUMMED):
        return False
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(name), attr="item"), args=[]):
            pass
        case _:
            return False
    made = [v for _, v in function.assignments(name)]
    if len(made) != 1 or not isinstance(made[0], ast.Call) or any(k.arg == "reduction" for k in made[0].keywords):
        return False
    name = called_name(made[0])
    of_torch = function.source.full(made[0].func).startswith("torch.nn.functional.") and name in FUNCTIONS
    return of_torch or name in ("criterion", "loss_fn", "loss_func")

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

from ....proposal import Edit, Evidence
from ..base import Finding
from ..losses import FUNCTIONS
from ..program import Program, called_name
from ..source import Function
from .roles import said

_SUMMED = ("reduction='sum'", "size_average=False", "reduction='none'", 'reduction="sum"', 'reduction="none"')
_LOADERS = frozenset({"loader", "dataloader", "loaders", "dl"})
_SAME = frozenset("item cpu float int detach double numpy".split())
Division = tuple[ast.AugAssign | ast.BinOp, ast.expr, ast.expr]


@dataclass(frozen=True, slots=True)
class CountOverBatches:
    name: str = "count_over_batches"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            divisions = list(_divisions(function)) if "loader" in function.source.text else []
            for total, added, loader in _totals(function) if divisions else ():
                for node, left, right in divisions:
                    if _is_total(left, total) and node.lineno > added.lineno and not _inside(node, added, function):
                        yield from self._divided(node, right, added, loader, function)

    def _divided(
        self, node: ast.AugAssign | ast.BinOp, right: ast.expr, added: ast.AugAssign, loader: str, function: Function
    ) -> Iterator[Finding]:
        by = ast.unparse(right)
        if by == f"len({loader})" and _counts_samples(added.value):
            new, what, other = f"len({loader}.dataset)", "samples", "batches"
        elif by == f"len({loader}.dataset)" and _is_batch_mean(added.value, function):
            new, what, other = f"len({loader})", "means of batches", "samples"
        else:
            return
        yield Finding(
            self.name,
            function.source.path,
            node.lineno,
            function.name,
            f"Divide the sum over {what} by their number",
            f"`{ast.unparse(added)[:80]}` adds up {what}; `{ast.unparse(node)[:60]}` divides by the number of {other}.",
            (_edit(node, right, new, function),),
            (Evidence(function.source.path, added.lineno, "added up here"),),
            confidence="high" if what == "samples" else "medium",
        )


def _edit(node: ast.AugAssign | ast.BinOp, right: ast.expr, new: str, function: Function) -> Edit:
    text = function.source.spliced(node, right, new)
    return function.rewrite(node, text) if isinstance(node, ast.AugAssign) else function.replace(node, text)


def _divisions(function: Function) -> Iterator[Division]:
    """`a / b` and `a /= b`, with a and b."""
    for node in function.own:
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield (node, node.left, node.right) if isinstance(node, ast.BinOp) else (node, node.target, node.value)


def _is_total(node: ast.expr, total: str) -> bool:
    """The total itself, as a number, or as a percentage: `100 * right.item()`."""
    match node:
        case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=inner):
            return _is_total(inner, total)
        case ast.BinOp(left=inner, op=ast.Mult(), right=ast.Constant()):
            return _is_total(inner, total)
        case ast.Call(func=ast.Name("float" | "int"), args=[inner]):
            return _is_total(inner, total)
        case ast.Call(func=ast.Attribute(value=inner, attr=name), args=[]) if name in _SAME:
            return _is_total(inner, total)
    return ast.unparse(node) == total


def _inside(node: ast.AST, added: ast.AST, function: Function) -> bool:
    """Whether the division stands in the loop that adds up: then it is of a running value."""
    return any(loop in function.source.loops(node) for loop in function.source.loops(added)[:1])


def _totals(function: Function) -> Iterator[tuple[str, ast.AugAssign, str]]:
    """`total += ...` in a loop over a loader: the total, the statement, the loader."""
    for node in function.own:
        if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add):
            continue
        loops = function.source.loops(node)
        if not loops or not isinstance(loops[0], ast.For):
            continue
        loader: ast.expr = loops[0].iter
        while isinstance(loader, ast.Call) and called_name(loader) in ("enumerate", "tqdm", "iter") and loader.args:
            loader = loader.args[0]
        if _LOADERS & said(ast.unparse(loader)) and isinstance(loader, ast.Name | ast.Attribute):
            yield ast.unparse(node.target), node, ast.unparse(loader)


def _counts_samples(value: ast.expr) -> bool:
    """`(pred == y).sum().item()`, `torch.sum(pred == y)`; a division anywhere makes it something else."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and not value.args:
        if value.func.attr == "sum":
            return _is_match(value.func.value)
        if value.func.attr not in _SAME:
            return False
        value = value.func.value
    match value:
        case ast.Call(func=ast.Attribute(attr="sum"), args=[inner]):
            return _is_match(inner)
        case ast.Call(func=ast.Name("int" | "float" | "sum"), args=[inner]):
            return _is_match(inner) if called_name(value) == "sum" else _counts_samples(inner)
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
    """`loss.item()` or `criterion(out, y).item()` of a loss with the default reduction, as it is written."""
    if any(mark in function.source.text for mark in _SUMMED):
        return False
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _SAME:
        value = value.func.value
    if isinstance(value, ast.Name):
        made = [v for _, v in function.assignments(value.id)]
        if len(made) != 1:
            return False
        value = made[0]
    if not isinstance(value, ast.Call) or any(k.arg == "reduction" for k in value.keywords):
        return False
    name = called_name(value)
    of_torch = function.source.full(value.func).startswith("torch.nn.functional.") and name in FUNCTIONS
    return of_torch or name in ("criterion", "loss_fn", "loss_func")

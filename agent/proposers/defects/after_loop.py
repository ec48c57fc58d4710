"""A value of the last batch is used as if it were the epoch's.

Why it hurts: after `for batch in loader:` the name `loss` still holds the last batch's loss; used for early stopping,
the scheduler, the best checkpoint or the returned metric it is the noise of one small batch.
Source: Humbatova et al. 2020; rule B-class "loop variable used outside its loop" of linters.

    before                              after
    for x, y in loader:                 losses = []
        loss = criterion(net(x), y)     for x, y in loader:
    scheduler.step(loss.item())             loss = criterion(net(x), y)
                                            losses.append(loss.item())
                                        scheduler.step(sum(losses) / len(losses))

Not flagged: loops over a count of steps (the last step is the newest state), totals and running means, values that are
only printed or logged, loops left by `break`, and names the code sets again before using them.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...proposal import Evidence
from .base import Finding
from .program import Program, called_name
from .source import Function
from .training import is_mini_batch_loop

LOOP = ast.For | ast.AsyncFor
REPORTING = frozenset("print info debug log write add_scalar set_description set_postfix warning format".split())
SELECTING = frozenset("step append report update early_stopping stopper save should_stop log_metric".split())


@dataclass(frozen=True, slots=True)
class AfterLoop:
    name: str = "last_batch_as_epoch"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            if function.name.rpartition(".")[2] in ("forward", "__call__"):
                continue  # a loop over layers: the last loss is that of the output
            for loop, following in _loops_with_rest(function):
                for name, made in _losses(loop, function, program):
                    uses = list(_uses(name, following))
                    if uses and not _set_before(name, loop, function):
                        yield self._finding(function, loop, name, made, uses)

    def _finding(
        self, function: Function, loop: LOOP, name: str, made: ast.stmt, uses: list[ast.expr]
    ) -> Finding:  # fmt: skip
        kept = f"{name}_of_batches"
        value = name if isinstance(made, ast.Assign) and _is_number(made.value) else f"{name}.item()"
        edits = [function.replace(use, f"sum({kept}) / len({kept})") for use in _distinct(uses)]
        edits += [
            function.insert(f"{kept}.append({value})", "after", made),
            function.insert(f"{kept} = []", "before", loop),
        ]
        line = uses[0].lineno
        return Finding(
            self.name,
            function.source.path,
            line,
            function.name,
            f"Use the mean {name} of the epoch, not that of its last batch"[:72],
            f"On line {line} `{name}` is what the last pass of the loop on line {loop.lineno} left: one batch stands for "
            "the whole epoch in what is decided or returned.",
            tuple(edits),
            (Evidence(function.source.path, made.lineno, f"{name} of one batch"),),
        )


def _distinct(uses: list[ast.expr]) -> list[ast.expr]:
    # From the last to the first: a replaced expression changes which one is the second.
    return sorted(uses, key=lambda node: (node.lineno, node.col_offset), reverse=True)


def _loops_with_rest(function: Function) -> Iterator[tuple[LOOP, list[ast.stmt]]]:
    """Mini-batch loops, with the statements that follow them in their block."""
    for node in function.own:
        if not isinstance(node, LOOP) or not is_mini_batch_loop(node) or node.orelse:
            continue
        if any(isinstance(inner, ast.Break | ast.Return) for inner in ast.walk(node)):
            continue
        parent = function.source.parents[node]
        block = next(b for name in ("body", "orelse", "finalbody") if node in (b := getattr(parent, name, []) or []))
        yield node, block[block.index(node) + 1 :]


def _losses(loop: LOOP, function: Function, program: Program) -> Iterator[tuple[str, ast.stmt]]:
    """Names given a batch's loss, plainly and once, by a statement directly in the loop."""
    stored = [n.id for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    for statement in loop.body:
        inner = statement.body if isinstance(statement, ast.With) else [statement]
        for made in inner:
            if not isinstance(made, ast.Assign) or len(made.targets) != 1 or not isinstance(made.targets[0], ast.Name):
                continue
            name = made.targets[0].id
            if stored.count(name) == 1 and _is_loss(made.value) and "loss" in name.lower():
                yield name, made


def _is_loss(node: ast.expr) -> bool:
    """The value of a loss: a call of something called a loss or criterion, maybe made a number."""
    if (
        isinstance(node, ast.Call)
        and called_name(node) in ("item", "mean", "cpu", "detach")
        and isinstance(node.func, ast.Attribute)
    ):
        return _is_loss(node.func.value)
    if not isinstance(node, ast.Call):
        return False
    name = called_name(node).lower()
    return any(
        word in name for word in ("loss", "criterion", "cross_entropy", "train_step", "training_step", "objective")
    )


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and called_name(node) == "item"


def _uses(name: str, following: list[ast.stmt]) -> Iterator[ast.expr]:
    """Expressions after the loop that decide or return something by the name, up to where it is set again."""
    for statement in following:
        reads = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == name]
        if any(isinstance(n.ctx, ast.Store) for n in reads):
            return
        if any(isinstance(n, ast.Call) and called_name(n) == "backward" for n in ast.walk(statement)):
            return
        yield from _deciding(statement, name)


def _deciding(node: ast.AST, name: str, decides: bool = False) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        called = called_name(node)
        if called == "item" and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == name:
            if decides:
                yield node
            return
        if called in REPORTING:
            return
        decides = decides or called in SELECTING
    elif isinstance(node, ast.JoinedStr | ast.FunctionDef | ast.Lambda):
        return
    elif isinstance(node, ast.Return | ast.Compare):
        decides = True
    elif isinstance(node, ast.Name) and node.id == name and decides:
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _deciding(child, name, decides)


def _set_before(name: str, loop: LOOP, function: Function) -> bool:
    """Whether the name had a value of its own before: then the loop may be a refinement of it."""
    for line, value in function.assignments(name):
        if line < loop.lineno and not (
            isinstance(value, ast.Constant) or ast.unparse(value) in ("[]", "torch.tensor(0.0)")
        ):
            return not function.source.loops(loop)
    return False

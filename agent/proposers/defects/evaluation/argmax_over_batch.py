"""The best of the batch is taken instead of the best class: an argmax over axis 0 of a batch's scores.

Why it hurts: what is compared with the labels are positions in the batch; the metric is at chance, or is right only when
batch and classes happen to be equally many. Source: data dimension faults, the most common of Islam et al. 2020.

    before                                  after
    for x, y in loader:                     for x, y in loader:
        out = net(x)                            out = net(x)
        ok += (out.argmax(0) == y).sum()        ok += (out.argmax(1) == y).sum()

Not flagged: models that were given one sample, outputs that were reshaped or indexed first.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..base import Finding
from ..program import Program, called_name, keyword_of, receiver
from ..source import Function
from ..training import is_mini_batch_loop, model_calls


@dataclass(frozen=True, slots=True)
class ArgmaxOverBatch:
    name: str = "argmax_over_batch"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            chosen = list(_over_first_axis(function))
            outputs = _outputs(function, program) if chosen else set()
            for call, scores, axis in chosen:
                if ast.unparse(scores) not in outputs or not _is_compared(call, function):
                    continue
                source = function.source
                yield Finding(
                    self.name,
                    source.path,
                    call.lineno,
                    function.name,
                    "Take the best class, not the best of the batch",
                    f"`{ast.unparse(call)}` runs over the samples of the batch: axis 1 has the classes.",
                    (function.replace(call, source.spliced(call, axis, "1")),),
                    confidence="high",
                )


def _over_first_axis(function: Function) -> Iterator[tuple[ast.Call, ast.expr, ast.expr]]:
    """`out.argmax(0)`, `torch.argmax(out, dim=0)`: the call, the scores, the axis."""
    for call in function.calls:
        if called_name(call) != "argmax":
            continue
        owner = receiver(call)
        is_function = function.source.full(call.func) in ("torch.argmax", "numpy.argmax")
        scores = call.args[0] if is_function and call.args else owner
        rest = call.args[1:] if is_function else call.args
        axis = keyword_of(call, "dim") or keyword_of(call, "axis") or (rest[0] if rest else None)
        if scores is not None and isinstance(axis, ast.Constant) and axis.value == 0 and type(axis.value) is int:
            yield call, scores, axis


def _outputs(function: Function, program: Program) -> set[str]:
    """What models give for a batch in a loop over mini-batches: the call itself, and the name it is given."""
    found: set[str] = set()
    for call, _ in model_calls(function, program):
        loops = function.source.loops(call)
        if not loops or not is_mini_batch_loop(loops[0]) or "loader" not in ast.unparse(loops[0].iter):  # type: ignore[union-attr]
            continue
        found.add(ast.unparse(call))
        statement = function.source.statement(call)
        if isinstance(statement, ast.Assign) and statement.value is call:
            names = {ast.unparse(target) for target in statement.targets}
            found |= {name for name in names if len(function.assignments(name)) == 1}
    return found


def _is_compared(call: ast.Call, function: Function) -> bool:
    parent = function.source.parents[call]
    if isinstance(parent, ast.Compare):
        return isinstance(parent.ops[0], ast.Eq)
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        name = ast.unparse(parent.targets[0])
        return any(
            isinstance(n, ast.Compare) and isinstance(n.ops[0], ast.Eq)
            and name in (ast.unparse(n.left), ast.unparse(n.comparators[0]))
            for n in function.own
        )  # fmt: skip
    return False

"""Gradient descent over epochs becomes one pass over the data and a solve."""

from collections.abc import Mapping, Sequence

import libcst as cst

from ...targets.errors import OperatorError
from .arguments import expression, only, required
from .leftovers import drop_unused_assignments
from .module_place import find_definition, loaded_names

Statement = cst.BaseStatement


class ClosedFormTraining:
    """Replaces the loop around `.backward()` inside a function by `model.observe(target)` for every batch, then
    `model.fit_closed_form()`.

    Of the loop only what makes `target` stays: the batches come from where they came from. Arguments: `model` and
    `target`, source text of the model and of the rows it should restore.
    """

    name = "closed_form_training"

    def apply(self, module: cst.Module, symbol: str, args: Mapping[str, str]) -> cst.Module:
        only(args, "model", "target")
        model, target = required(args, "model"), required(args, "target")
        place = find_definition(module, symbol)
        loop = _outer_loop(place)
        if loop is None:
            raise OperatorError("no loop around a backward pass", where=symbol)
        _refuse_what_a_loop_cannot_lose(place, loop)
        expression(model)
        observe = cst.parse_statement(f"{model}.observe({target})")
        wanted = set(loaded_names(expression(target)))
        batches = _one_pass(loop, wanted, observe)
        if batches is None:
            raise OperatorError("the rows of a batch do not come from this loop", wanted=target, where=symbol)
        solve = cst.parse_statement(f"{model}.fit_closed_form()")
        batches[0] = batches[0].with_changes(leading_lines=loop.leading_lines)
        changed = cst.ensure_type(module.visit(_Replace(loop, [*batches, solve])), cst.Module)
        return drop_unused_assignments(changed, symbol, within=loop)


class _Replace(cst.CSTTransformer):
    def __init__(self, old: cst.For, new: Sequence[Statement]) -> None:
        super().__init__()
        self._old, self._new = old, new

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For | cst.FlattenSentinel[Statement]:
        return cst.FlattenSentinel(self._new) if original_node is self._old else updated_node


def has_backward(node: cst.CSTNode) -> bool:
    """Whether a method named `backward` is called inside."""
    found = False

    class Look(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            nonlocal found
            found = found or (isinstance(node.func, cst.Attribute) and node.func.attr.value == "backward")

    node.visit(Look())
    return found


def _outer_loop(place: cst.CSTNode) -> cst.For | None:
    loops: list[cst.For] = []

    class Collect(cst.CSTVisitor):
        def visit_For(self, node: cst.For) -> bool:
            if has_backward(node):
                loops.append(node)
            return False

        def visit_While(self, node: cst.While) -> bool:
            # What ends a while loop is in its body, most of which would go.
            return False

    place.visit(Collect())
    return loops[0] if len(loops) == 1 else None


def _refuse_what_a_loop_cannot_lose(place: cst.CSTNode, loop: cst.For) -> None:
    """OperatorError when the function ends inside the loop or reads afterwards what the loop assigned."""
    leaves: list[str] = []

    class Look(cst.CSTVisitor):
        def visit_Return(self, node: cst.Return) -> None:
            leaves.append("return")

        def visit_Yield(self, node: cst.Yield) -> None:
            leaves.append("yield")

    loop.visit(Look())
    if leaves:
        raise OperatorError("the training loop is also the way out of its function", found=leaves[0])
    after = _names_read_after(place, loop)
    lost = sorted(assigned_names(loop) & after)
    if lost:
        raise OperatorError("what the training loop computes is used after it", found=", ".join(lost))


def _names_read_after(place: cst.CSTNode, loop: cst.For) -> set[str]:
    """Names in the statements behind the loop, in its block and in those around it."""
    read: set[str] = set()

    class Look(cst.CSTVisitor):
        def __init__(self) -> None:
            super().__init__()
            self.past = False

        def on_visit(self, node: cst.CSTNode) -> bool:
            if node is loop:
                self.past = True
                return False
            if self.past and isinstance(node, cst.BaseSmallStatement | cst.BaseCompoundStatement):
                read.update(loaded_names(node))
            return True

    place.visit(Look())
    return read


def assigned_names(node: cst.CSTNode) -> set[str]:
    """Names bound by plain assignments inside `node`."""
    names: set[str] = set()

    class Collect(cst.CSTVisitor):
        def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
            if isinstance(node.target, cst.Name | cst.Tuple | cst.List):
                names.update(loaded_names(node.target))

    node.visit(Collect())
    return names


def _one_pass(loop: cst.For, wanted: set[str], observe: Statement) -> list[Statement] | None:
    """The loop reduced to what makes `wanted`, with `observe` at its heart; without the loop where it only repeats.

    None when the body is not a block.
    """
    if not isinstance(loop.body, cst.IndentedBlock):
        return None
    body = list(loop.body.body)
    inner = next((i for i, statement in enumerate(body) if has_backward(statement)), len(body))
    heart: list[Statement] = [observe]
    if inner < len(body) and isinstance(nested := body[inner], cst.For):
        deeper = _one_pass(nested, wanted, observe)
        if deeper is None:
            return None
        heart = deeper
        wanted = {name for statement in heart for name in loaded_names(statement)}
    kept, needed = _needed(body[:inner], wanted)
    if needed & set(loaded_names(loop.target)) or (kept and len(heart) == 1 and heart[0] is observe):
        # Each turn brings other rows: this loop goes over batches.
        return [loop.with_changes(body=loop.body.with_changes(body=[*kept, *heart]))]
    return [*kept, *heart]


def _needed(before: Sequence[Statement], wanted: set[str]) -> tuple[list[Statement], set[str]]:
    """The assignments among `before` that `wanted` needs, and every name needed with them."""
    kept: list[Statement] = []
    needed = set(wanted)
    for statement in reversed(before):
        if isinstance(statement, cst.SimpleStatementLine) and assigned_names(statement) & needed:
            kept.insert(0, statement)
            needed |= set(loaded_names(statement))
    return kept, needed

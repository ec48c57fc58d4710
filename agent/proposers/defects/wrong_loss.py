"""The loss does not fit what the model puts out.

Why it hurts: squared error on class scores has vanishing gradients where the model is most wrong; NLLLoss on raw scores
is unbounded and rewards large numbers; BCELoss on raw scores is undefined; cross entropy over a single class is
always zero. Source: Humbatova et al. 2020, loss faults; defects4ml (8 of 70).

    before                                          after
    criterion = nn.MSELoss()                        criterion = nn.CrossEntropyLoss()
    loss = criterion(net(x), F.one_hot(y).float())  loss = criterion(net(x), y)

    criterion = nn.NLLLoss()     # raw scores       criterion = nn.CrossEntropyLoss()
    criterion = nn.BCELoss()     # raw scores       criterion = nn.BCEWithLogitsLoss()

Not flagged: squared error for regression, reconstruction and values; outputs whose end cannot be told.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .heads import Ending, Heads, out_features
from .losses import Loss, losses
from .program import Program, called_name
from .source import Function


@dataclass(frozen=True, slots=True)
class WrongLoss:
    name: str = "wrong_loss"

    def detect(self, program: Program) -> Iterable[Finding]:
        heads = Heads(program)
        seen: set[ast.expr] = set()
        for loss in losses(program):
            place = loss.made if loss.made is not None else loss.call
            if place in seen:
                continue
            ending = heads.of(loss.output, loss.function)
            found = _squared(loss, ending, program) or (_misfit(loss, ending) if ending is not None else None)
            if found is None:
                continue
            seen.add(place)
            title, why, edits = found
            yield Finding(
                self.name,
                loss.home.source.path,
                place.lineno,
                loss.home.name,
                title[:72],
                why,
                edits,
                (Evidence(loss.function.source.path, loss.call.lineno, "the loss is taken here"),),
            )


Found = tuple[str, str, tuple[Edit, ...]]


def _misfit(loss: Loss, ending: Ending) -> Found | None:
    if ending.kind == "linear" and loss.kind == "bce":
        return _swap(
            loss, "BCEWithLogitsLoss", "raw scores", "BCELoss takes probabilities and the output is raw scores."
        )
    if ending.kind == "linear" and loss.kind == "nll":
        why = "NLLLoss takes log-probabilities: of raw scores it is unbounded, and larger scores alone lower it."
        return _swap(loss, "CrossEntropyLoss", "raw scores", why)
    if ending.kind == "softmax" and loss.kind == "nll":
        return _log_softmax(ending)
    if ending.kind == "linear" and loss.kind == "cross_entropy":
        return _single_class(loss, ending)
    return None


def _swap(loss: Loss, new: str, given: str, why: str) -> Found | None:
    edits = loss.swapped(new)
    return (f"Use {new} for an output of {given}", why, edits) if edits else None


def _log_softmax(ending: Ending) -> Found | None:
    """`F.softmax` becomes `F.log_softmax`, `nn.Softmax` becomes `nn.LogSoftmax`."""
    layer = ending.node
    if not isinstance(layer, ast.Call) or called_name(layer) not in ("softmax", "Softmax"):
        return None
    source = ending.function.source
    func = source.segment(layer.func)
    prefix, dot, name = func.rpartition(".")
    if not dot or prefix.startswith("self"):
        return None
    new = "log_softmax" if name == "softmax" else "LogSoftmax"
    edit = ending.function.replace(layer, f"{prefix}.{new}" + source.segment(layer)[len(func) :])
    why = "NLLLoss takes log-probabilities; of probabilities it is bounded by -1 and its gradient does not grow with the error."
    return "Give NLLLoss log-probabilities, not probabilities", why, (edit,)


def _single_class(loss: Loss, ending: Ending) -> Found | None:
    if not isinstance(ending.node, ast.Call) or called_name(ending.node) not in ("Linear", "LazyLinear"):
        return None
    width = out_features(ending.node, ending.function)
    if not (isinstance(width, ast.Constant) and width.value == 1) or ending.node.keywords:
        return None
    why = "Cross entropy over one class is zero whatever the output: nothing is learned."
    if _takes_argmax(loss.function):
        source = ending.function.source
        first = source.segment(ending.node.args[0])
        edit = ending.function.replace(ending.node, f"{source.segment(ending.node.func)}({first}, 2)")
        return "Give each of the two classes an output", why, (edit,)
    swapped = loss.swapped("BCEWithLogitsLoss")
    if not swapped or not loss.call.args:
        return None
    source = loss.function.source
    func, output, target = (source.segment(node) for node in (loss.call.func, loss.output, loss.target))
    if loss.made is None:
        func = func.replace("cross_entropy", "binary_cross_entropy_with_logits")
        swapped = ()
    edit = loss.function.replace(loss.call, f"{func}({output}.squeeze(-1), {target}.float().view(-1))")
    return "Use BCEWithLogitsLoss for a single output", why, (*swapped, edit)


def _takes_argmax(function: Function) -> bool:
    return any(
        isinstance(n, ast.Call) and called_name(n) in ("argmax", "topk")
        for f in function.source.functions
        for n in f.own
    )


def _squared(loss: Loss, ending: Ending | None, program: Program) -> Found | None:
    """Squared error against classes: one-hot, or their numbers where the largest output is compared with them."""
    if loss.kind != "mse" or len(loss.call.args) != 2:
        return None
    labels = _labels_of(loss.target, loss.function)
    if labels is None and ending is not None and _has_several_outputs(ending):
        labels = _numbered_labels(loss, program)
    swapped = _as_cross_entropy(loss, labels) if labels is not None else None
    if swapped is None:
        return None
    edits = list(swapped)
    if ending is not None and ending.kind == "softmax":
        removal = ending.removal()
        edits += [removal] if removal else []
    elif ending is not None and ending.kind != "linear":
        return None
    why = "Squared error between class scores and labels has its smallest gradients where the model is most wrong."
    return "Use cross entropy for class labels, not squared error", why, tuple(edits)


def _has_several_outputs(ending: Ending) -> bool:
    """Whether the head is a linear layer with a number of outputs above one, as it stands in the code."""
    if not isinstance(ending.node, ast.Call) or called_name(ending.node) not in ("Linear", "LazyLinear"):
        return False
    width = out_features(ending.node, ending.function)
    return isinstance(width, ast.Constant) and isinstance(width.value, int) and width.value > 1


def _numbered_labels(loss: Loss, program: Program) -> str | None:
    """`y.long()` for a target `y.float().unsqueeze(1)`, where some code asks whether `argmax(...) == y`."""
    node = loss.target
    made_float = False
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        made_float |= called_name(node) in ("float", "double", "to", "type")
        node = node.func.value
    if not isinstance(node, ast.Name) or not made_float or loss.function.assignments(node.id):
        return None
    compared = (c for f in program.functions for c in f.own if isinstance(c, ast.Compare) and len(c.comparators) == 1)
    for compare in compared:
        sides = (compare.left, compare.comparators[0])
        plain = any(isinstance(side, ast.Name) and side.id == node.id for side in sides)
        ranked = any(isinstance(n, ast.Call) and called_name(n) == "argmax" for side in sides for n in ast.walk(side))
        if plain and ranked and isinstance(compare.ops[0], ast.Eq):
            return f"{node.id}.long()"
    return None


def _as_cross_entropy(loss: Loss, labels: str) -> tuple[Edit, ...] | None:
    source = loss.function.source
    output = source.segment(loss.output)
    if loss.made is None:
        prefix = source.segment(loss.call.func).rpartition(".")[0]
        return (loss.function.replace(loss.call, f"{prefix}.cross_entropy({output}, {labels})"),) if prefix else None
    # The call changes first: swapping the class may stand in the same function, and does not touch it.
    call = loss.function.replace(loss.call, f"{source.segment(loss.call.func)}({output}, {labels})")
    if isinstance(loss.call.func, ast.Call):
        return None
    swapped = loss.swapped("CrossEntropyLoss")
    return (call, *swapped) if swapped is not None else None


def _labels_of(target: ast.expr, function: Function) -> str | None:
    """The integer labels a one-hot target was made of: `y` of `F.one_hot(y, 10).float()`."""
    if isinstance(target, ast.Name):
        value = function.last_value(target.id, target.lineno)
        return _labels_of(value, function) if value is not None else None
    if not isinstance(target, ast.Call):
        return None
    name = called_name(target)
    if name == "one_hot" and target.args:
        return function.source.segment(target.args[0])
    if name in ("float", "to", "type", "double", "cuda") and isinstance(target.func, ast.Attribute):
        return _labels_of(target.func.value, function)
    return None

"""The output is normalised, then given to a loss that normalises it again.

Why it hurts: CrossEntropyLoss and BCEWithLogitsLoss expect raw scores. Of probabilities they make nearly uniform ones:
the loss cannot fall below a floor, gradients are small, training is slow and ends low. Source: Humbatova et al. 2020;
the most frequent loss fault of defects4ml; NeuraLint.

    before                                          after
    def forward(self, x):                           def forward(self, x):
        return F.softmax(self.head(x), dim=1)           return self.head(x)

The softmax may stand in the model and the loss in another file. A sigmoid before BCEWithLogitsLoss is mended at the loss
(BCELoss), because thresholds at 0.5 elsewhere rely on it. A log_softmax before CrossEntropyLoss changes nothing but
time, and is reported as such.

Not flagged: NLLLoss after log_softmax, BCELoss after sigmoid, models that answer otherwise in training, softmax inside
attention, policies and other uses where no such loss follows.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .heads import Ending, Heads
from .losses import Loss, losses
from .program import Program, called_name
from .training import model_calls, trains

ORDER_ONLY = frozenset("argmax argsort topk max sort".split())


@dataclass(frozen=True, slots=True)
class SoftmaxBeforeLoss:
    name: str = "softmax_before_loss"

    def detect(self, program: Program) -> Iterable[Finding]:
        heads = Heads(program)
        seen: set[ast.expr] = set()
        for loss in losses(program):
            if loss.kind not in ("cross_entropy", "bce_logits"):
                continue
            ending = heads.of(loss.output, loss.function)
            if ending is None or ending.kind == "linear" or ending.node in seen:
                continue
            seen.add(ending.node)
            edits = _edits(loss, ending, program)
            if edits:
                yield self._finding(loss, ending, edits)

    def _finding(self, loss: Loss, ending: Ending, edits: tuple[Edit, ...]) -> Finding:
        chosen = ast.unparse(loss.made.func if loss.made is not None else loss.call.func)
        harmless = ending.kind == "log_softmax" and loss.kind == "cross_entropy"
        why = (
            "A second log_softmax changes nothing but the time it takes."
            if harmless
            else "Applied twice, it flattens the distribution: the loss has a floor it cannot fall below and gradients shrink."
        )
        return Finding(
            self.name,
            ending.function.source.path,
            ending.node.lineno,
            ending.function.name,
            f"Give {chosen.rpartition('.')[2]} raw scores, not the output of {ending.kind}"[:72],
            f"The output ends in {ending.kind}, and {chosen} applies its own to it. {why}",
            edits,
            (
                Evidence(ending.function.source.path, ending.node.lineno, f"{ending.kind} here"),
                Evidence(loss.function.source.path, loss.call.lineno, f"{chosen} of it here"),
            ),
            effect="cost" if harmless else "score",
        )


def _edits(loss: Loss, ending: Ending, program: Program) -> tuple[Edit, ...]:
    if ending.kind == "sigmoid" and loss.kind == "bce_logits":
        swapped = loss.swapped("BCELoss")
        if swapped is not None:
            return swapped
    if ending.kind == "log_softmax" and loss.kind == "cross_entropy":
        swapped = loss.swapped("NLLLoss")
        return swapped or ()
    if ending.model is not None and ending.inner is not None and _probabilities_are_used(ending, program):
        # Whoever asks for probabilities gets them still: outside training the output stays as it was.
        inner, whole = (ending.function.source.segment(node) for node in (ending.inner, ending.node))
        return (ending.function.replace(ending.node, f"{inner} if self.training else {whole}"),)
    if ending.model is None and ending.function is loss.function and ending.node is not loss.output:
        variable = _variable_of(loss)
        if variable and ending.inner is not None and _is_used_besides(variable, loss, ending):
            return _at_the_loss(loss, ending)
    removal = ending.removal()
    return (removal,) if removal is not None else ()


def _probabilities_are_used(ending: Ending, program: Program) -> bool:
    """Whether some code that does not train uses the model's output for more than its order."""
    for function in program.functions:
        if (
            function.source is ending.function.source
            and function.owner is not None
            and ending.function.owner is function.owner
        ):
            continue
        if trains(function) or not any(True for _ in model_calls(function, program)):
            continue
        names = {called_name(node) for node in function.everything if isinstance(node, ast.Call)}
        if not names & ORDER_ONLY and not any("loss" in name.lower() or "criterion" in name for name in names):
            return True
    return False


def _variable_of(loss: Loss) -> str:
    return loss.output.id if isinstance(loss.output, ast.Name) else ""


def _is_used_besides(name: str, loss: Loss, ending: Ending) -> bool:
    """Whether the normalised value has a use of its own, other than in this loss and for its order."""
    source = loss.function.source
    for node in loss.function.own:
        if (
            not isinstance(node, ast.Name)
            or node.id != name
            or not isinstance(node.ctx, ast.Load)
            or node is loss.output
        ):
            continue
        parent = source.parents[node]
        if node.lineno > ending.node.lineno and not (isinstance(parent, ast.Attribute) and parent.attr in ORDER_ONLY):
            return True
    return False


def _at_the_loss(loss: Loss, ending: Ending) -> tuple[Edit, ...]:
    """The loss takes what the activation was applied to; the activation and its other uses stay."""
    if not loss.call.args:
        return ()
    source = loss.function.source
    if not isinstance(ending.inner, ast.Name):
        if (ending.kind, loss.kind) != ("softmax", "cross_entropy"):
            return ()
        # Cross entropy of the logarithm of probabilities is that of the logits.
        text, output = source.segment(loss.call), source.segment(loss.output)
        func = source.segment(loss.call.func)
        return (
            loss.function.replace(
                loss.call, func + text[len(func) :].replace(output, f"{output}.clamp_min(1e-9).log()", 1)
            ),
        )
    assigned = [line for line, _ in loss.function.assignments(ending.inner.id)]
    if any(ending.node.lineno <= line < loss.call.lineno for line in assigned):
        return ()
    func, rest = source.segment(loss.call.func), source.segment(loss.call)
    text = rest[len(func) :].replace(source.segment(loss.output), ending.inner.id, 1)
    return (loss.function.replace(loss.call, func + text),)

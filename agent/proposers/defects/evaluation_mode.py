"""Evaluation runs in training mode, or keeps gradients; or training goes on in evaluation mode.

Why it hurts: with dropout and batch normalisation in training mode predictions are noisy and depend on the other
examples of the batch; a model left in evaluation mode trains without dropout and with frozen statistics; gradients
that nobody uses cost time and memory. Source: Humbatova et al. 2020; dslinter.

    before                                  after
    def evaluate(model, loader):            @torch.no_grad()
        right = 0                           def evaluate(model, loader):
        for x, y in loader:                     model.eval()
            ...                                 right = 0
                                                ...

Where a training loop calls the evaluation and never calls `train()`, that is added to the loop.

Not flagged: `eval()`, `train(False)` or a no-grad block in the function, around its call, in what builds the model or in
its class; models without a layer that has two modes (then only missing `no_grad` is named, as a matter of cost);
pretrained models that come in evaluation mode; Lightning and Trainer hooks; methods of models; functions whose result
is differentiated.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .evaluation_code import Evaluation, evaluations
from .program import Program
from .training_mode import resumed_training


@dataclass(frozen=True, slots=True)
class EvaluationMode:
    name: str = "evaluation_mode"

    def detect(self, program: Program) -> Iterable[Finding]:
        for evaluation in evaluations(program):
            if evaluation.needs_eval or evaluation.needs_no_grad:
                yield self._finding(evaluation, program)
        yield from resumed_training(program, self.name)

    def _finding(self, evaluation: Evaluation, program: Program) -> Finding:
        function = evaluation.function
        edits: tuple[Edit, ...] = ()
        if evaluation.needs_eval:
            edits += evaluation.eval_edits(program)
        if evaluation.needs_no_grad:
            edits += evaluation.no_grad_edits()
        missing = [
            word
            for word, needed in (("eval()", evaluation.needs_eval), ("no_grad", evaluation.needs_no_grad))
            if needed
        ]  # fmt: skip
        name = function.name.rpartition(".")[2] or function.source.path
        mode = "The model has layers that act differently in training, such as dropout or batch normalisation. "
        return Finding(
            self.name,
            function.source.path,
            evaluation.call.lineno,
            function.name,
            f"Evaluate with {' and '.join(missing)} in {name}"[:72],
            (mode if evaluation.needs_eval else "Gradients are recorded that nobody uses. ")
            + f"Nothing on the way to line {evaluation.call.lineno} calls {' or '.join(missing)}.",
            edits,
            (Evidence(function.source.path, evaluation.call.lineno, "the model is applied here"),),
            effect="score" if evaluation.needs_eval else "cost",
        )

"""Three batches of the target's own training loop on made-up data, with everything that matters written down."""

import contextlib
import importlib
from typing import Any

from . import batches

BATCHES = 3
ROWS = 4


class Enough(BaseException):
    """Ends the loop from a hook once enough was seen."""


class Tape:
    """What happened: gradients before each backward, at each step, and what losses were given."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.recording = False
        self.events: list[str] = []
        self.left_over: list[bool] = []
        """Before each backward that follows a step: whether a gradient was there already."""
        self.steps_without = 0
        """Steps that found no gradient, or only zeros."""
        self.steps = 0
        self.losses: dict[str, dict[str, int]] = {}
        """Kind of loss to what its inputs were like."""
        self.error = ""
        self._model: Any = None
        _patch(self)

    @contextlib.contextmanager
    def on(self, model: Any) -> Any:
        self.recording, self._model = True, model
        self.events, self.left_over, self.steps, self.steps_without, self.losses = [], [], 0, 0, {}
        try:
            yield self
        finally:
            self.recording = False

    def copy(self) -> dict[str, Any]:
        return {"events": list(self.events), "left_over": list(self.left_over), "steps": self.steps,
                "steps_without": self.steps_without, "losses": dict(self.losses), "error": self.error}  # fmt: skip

    def backward(self) -> None:
        if "step" in self.events:
            self.left_over.append(self._has_gradient())
        self.events.append("backward")

    def step(self) -> None:
        self.steps += 1
        self.steps_without += not self._has_gradient()
        self.events.append("step")
        if self.steps > BATCHES or len(self.events) > 50:
            raise Enough

    def loss(self, kind: str, scores: Any) -> None:
        if scores.dim() < 1 or not scores.numel():
            return
        scores = scores.detach().float()
        axis = 1 if scores.dim() > 1 else 0
        total = scores.sum(axis)
        seen = self.losses.setdefault(kind, {"calls": 0, "distributions": 0, "log_distributions": 0, "within": 0})
        inside = bool(((scores >= 0) & (scores <= 1)).all())
        seen["calls"] += 1
        seen["within"] += inside
        seen["distributions"] += inside and bool((abs(total - 1) < 1e-3).all())
        seen["log_distributions"] += bool((abs(scores.logsumexp(axis)) < 1e-3).all())
        seen["classes"] = int(scores.shape[axis])

    def _has_gradient(self) -> bool:
        grads = [p.grad for p in self._model.parameters() if p.grad is not None]
        return any(bool((grad != 0).any()) for grad in grads)


def rehearse(subject: Any, code: dict[str, Any]) -> dict[str, Any]:
    """The tape of the loop. What it raised is on the tape: where it stopped may say enough."""
    model, examples = _made(subject)
    with subject.tape.on(model) as tape:
        tape.error = ""
        try:
            subject.call(code, model, examples, ROWS)
        except Enough:
            pass
        except Exception as error:
            tape.error = "{}: {}".format(type(error).__name__, " ".join(str(error).split())[:160])
    found: dict[str, Any] = tape.copy()
    return found


def trained(subject: Any, code: dict[str, Any], other_labels: bool) -> dict[str, Any]:
    """Weights after the loop's first steps; from one seed, with its labels or with others. Raises what the loop raises."""
    model, (inputs, targets) = _made(subject)
    if other_labels:
        targets = subject.wrong(targets, model(*subject.inputs()))
    with subject.tape.on(model), contextlib.suppress(Enough):
        subject.call(code, model, (inputs, targets), ROWS)
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _made(subject: Any) -> tuple[Any, tuple[Any, Any]]:
    """A model in training mode, and rows enough for the loop."""
    model = subject.fresh()
    inputs = tuple(batches_of(one) for one in subject.inputs())
    if subject.recipe["loss"] == "bce" and inputs[0].is_floating_point():
        inputs = (inputs[0].sigmoid(), *inputs[1:])  # the input may be the target, as in an autoencoder
    with subject.torch.no_grad():
        output = subject.output(subject.without_dropout(subject.fresh()).eval(), inputs)
    targets = batches.shaped_targets(subject.recipe["loss"] or "mse", output, inputs, subject.torch)
    return model.train(), (inputs[0], targets)


def batches_of(tensor: Any) -> Any:
    """The rows again and again, so that there are batches enough for the loop."""
    return tensor.repeat((BATCHES + 1, *[1] * (tensor.dim() - 1)))


def _patch(tape: Tape) -> None:
    """Lays the tape into torch; done before any file of the target is read, so that its own names get it too."""
    torch = tape.torch
    backward = torch.Tensor.backward

    def recorded_backward(self: Any, *args: Any, **kwargs: Any) -> Any:
        if tape.recording:
            tape.backward()
        return backward(self, *args, **kwargs)

    torch.Tensor.backward = recorded_backward
    hooks = importlib.import_module("torch.optim.optimizer")
    # Of every optimizer, those that the loop makes itself included; torch has it since 2.1.
    hooks.register_optimizer_step_pre_hook(lambda *_: tape.step() if tape.recording else None)
    functional = torch.nn.functional
    for kind, name in (("cross_entropy", "cross_entropy"), ("nll", "nll_loss"), ("bce", "binary_cross_entropy"),
                       ("bce_logits", "binary_cross_entropy_with_logits"), ("mse", "mse_loss")):  # fmt: skip
        setattr(functional, name, _recorded(tape, kind, getattr(functional, name)))


def _recorded(tape: Tape, kind: str, function: Any) -> Any:
    def loss(input: Any, *args: Any, **kwargs: Any) -> Any:
        if tape.recording:
            tape.loss(kind, input)
        return function(input, *args, **kwargs)

    return loss

"""Inputs and targets that fit a model: found from its first layer, and tried until its forward takes them."""

import inspect
from typing import Any

SIDES = (28, 32, 8, 64, 16, 224, 96)
LENGTH = 12
CLASSES = ("cross_entropy", "nll")
"""Losses whose targets are class indices."""
MASKS = ("mask", "attention_mask", "key_padding_mask", "padding_mask", "pad_mask", "src_mask", "src_key_padding_mask")


class NoBatch(Exception):
    """No input was found that the model takes."""


def inputs_of(model: Any, torch: Any, shapes: list[Any], count: int) -> tuple[Any, ...]:
    """Arguments for `model(...)`, every one with `count` rows."""
    needed = _needed(model)
    last = ""
    for first in _candidates(model, torch, shapes, count):
        torch.manual_seed(11)
        try:
            given = (first, *(_beside(name, first, torch) for name in needed[1:]))
            with torch.no_grad():
                tensor_in(model(*given), torch)
            return given
        except NoBatch:
            raise
        except Exception as error:
            last = " ".join(str(error).split())[:120]
    raise NoBatch(
        "no batch was found that {} takes: {}".format(type(model).__name__, last or "no layer tells its shape")
    )


def _needed(model: Any) -> list[Any]:
    """Names of the parameters of `forward` that have no default; the first is the input."""
    found: list[str] = []
    for parameter in inspect.signature(model.forward).parameters.values():
        named = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if named and (parameter.default is parameter.empty or not found):
            found.append(parameter.name)
    return found


def _beside(name: str, first: Any, torch: Any) -> Any:
    if name in MASKS:
        return torch.ones(first.shape[:2], dtype=torch.bool)
    if name in ("lengths", "lens", "x_lens"):
        return torch.full((len(first),), first.shape[1], dtype=torch.long)
    if name in ("tgt", "trg", "target", "targets", "y", "x2", "b", "other", "context", "key", "value", "k", "v"):
        return torch.roll(first, 1, 0)
    raise NoBatch(f"what to give forward for {name} is not known")


def _candidates(model: Any, torch: Any, shapes: list[list[int]], count: int) -> Any:
    """Inputs to try: by the first layers that have a size, then by shapes the code spells out."""
    torch.manual_seed(7)
    layers = [layer for layer in model.modules() if not list(layer.children())]
    for layer in layers[:30]:
        if isinstance(layer, torch.nn.Embedding | torch.nn.EmbeddingBag):
            for length in ((LENGTH,), (8,), (4,), ()):
                yield torch.randint(0, layer.num_embeddings, (count, *length))
            continue
        for shape in _shapes_of(layer, torch.nn, shapes):
            yield torch.randn(count, *shape)
    for parameter in model.parameters(recurse=False):
        yield torch.randn(count, *parameter.shape[-1:])
    for one in shapes:
        yield torch.randn(count, *one)


def _shapes_of(layer: Any, nn: Any, shapes: list[list[int]]) -> list[tuple[int, ...]]:
    """Shapes of one example that a layer may take."""
    if isinstance(layer, nn.Conv2d):
        return [(layer.in_channels, *sides) for sides in _sides(shapes)]
    if isinstance(layer, nn.Conv1d):
        return [(layer.in_channels, length) for length in (LENGTH, 32, 64, 128)]
    if isinstance(layer, nn.LSTM | nn.GRU | nn.RNN):
        return [(LENGTH, layer.input_size)]
    size = _width(layer, nn)
    if not size:
        return []
    # A picture that is made flat first.
    flat = [(size // (h * w), h, w) for h, w in _sides(shapes) if size % (h * w) == 0]
    return [(size,), (LENGTH, size), *flat]


def _width(layer: Any, nn: Any) -> int:
    if isinstance(layer, nn.LayerNorm):
        return int(layer.normalized_shape[-1])
    for kind, name in (
        (nn.Linear, "in_features"),
        (nn.BatchNorm1d, "num_features"),
        (nn.MultiheadAttention, "embed_dim"),
    ):
        if isinstance(layer, kind):
            return int(getattr(layer, name))
    return 0


def _sides(shapes: list[Any]) -> list[Any]:
    read = [tuple(shape[-2:]) for shape in shapes if len(shape) >= 2]
    return list(dict.fromkeys([*read, *((side, side) for side in SIDES)]))


def tensor_in(answer: Any, torch: Any) -> Any:
    """The first floating tensor of an answer with an entry for each example."""
    pending = [answer]
    while pending:
        one = pending.pop(0)
        if isinstance(one, torch.Tensor) and one.dim() and one.is_floating_point():
            return one
        if isinstance(one, dict):
            pending += list(one.values())
        elif isinstance(one, (tuple, list)):
            pending += list(one)
        elif hasattr(one, "logits"):
            pending.append(one.logits)
    raise NoBatch("forward returns no tensor of numbers")


def is_sequence(output: Any, inputs: tuple[Any, ...]) -> bool:
    """Whether there is an answer for each place of a sequence."""
    first = inputs[0]
    return output.dim() == 3 and first.dim() in (2, 3) and output.shape[1] == first.shape[1]


def by_class(output: Any, inputs: tuple[Any, ...]) -> Any:
    """The scores as (rows, classes)."""
    if is_sequence(output, inputs) or output.dim() <= 2:
        return output.reshape(-1, output.shape[-1])
    return output.movedim(1, -1).reshape(-1, output.shape[1])


def targets_of(kind: str, output: Any, inputs: tuple[Any, ...], torch: Any) -> Any:
    """Targets a loss of this kind takes for the output: (rows,) classes for cross entropy and nll."""
    generator = torch.Generator().manual_seed(3)
    if kind in CLASSES:
        scores = by_class(output, inputs)
        return torch.randint(0, scores.shape[-1], scores.shape[:1], generator=generator)
    if kind in ("bce", "bce_logits"):
        return torch.randint(0, 2, tuple(output.shape), generator=generator).float()
    if kind == "mse":
        return torch.randn(tuple(output.shape), generator=generator)
    raise NoBatch("which loss the training computes was not read")


def shaped_targets(kind: str, output: Any, inputs: tuple[Any, ...], torch: Any) -> Any:
    """The same, in the shape that a training loop hands to the loss."""
    targets = targets_of(kind, output, inputs, torch)
    if kind not in CLASSES or output.dim() <= 2:
        return targets
    if is_sequence(output, inputs):
        return targets.reshape(output.shape[:2])
    return targets.reshape(len(output), *output.shape[2:])


def loss_of(kind: str, output: Any, targets: Any, torch: Any) -> Any:
    functional = torch.nn.functional
    names = {"cross_entropy": "cross_entropy", "nll": "nll_loss", "bce": "binary_cross_entropy",
             "bce_logits": "binary_cross_entropy_with_logits", "mse": "mse_loss"}  # fmt: skip
    return getattr(functional, names[kind])(output, targets)


def answered(kind: str, output: Any, inputs: tuple[Any, ...], torch: Any) -> Any:
    """The targets that the output itself stands for: its classes, its sides, or values beside it."""
    if kind in CLASSES:
        best = by_class(output, inputs).argmax(-1)
        if output.dim() <= 2:
            return best
        return best.reshape(output.shape[:2] if is_sequence(output, inputs) else (len(output), *output.shape[2:]))
    if kind in ("bce", "bce_logits"):
        middle = 0.5 if kind == "bce" else 0.0
        return (output > middle).float()
    return output + torch.linspace(0, 1, len(output)).reshape(-1, *[1] * (output.dim() - 1))

"""The target's own functions and loops, run with made-up data in place of what the training script loads."""

import contextlib
import io
from typing import Any


class Anything:
    """Stands for a logger, a scheduler, a progress bar: takes every call and does nothing."""

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_exc: Any) -> None:
        return None

    def __float__(self) -> float:
        return 0.0

    def __bool__(self) -> bool:
        return False


def bind(subject: Any, code: dict[str, Any], model: Any, examples: tuple[Any, ...]) -> dict[str, Any]:
    """Name to object, for all that the code was read to need. `examples`: inputs, targets, batch size."""
    torch = subject.torch
    found = {}
    for name, what in code["names"].items():
        role = what["role"]
        if role == "model":
            found[name] = model
        elif role == "optimizer":
            found[name] = torch.optim.SGD(model.parameters(), lr=1e-3)
        elif role == "criterion":
            found[name] = subject.evaluate(what["text"]) if what.get("text") else _criterion(what["kind"], torch)
        elif role == "loader":
            found[name] = _loader(what, examples, torch)
        elif role == "device":
            found[name] = torch.device("cpu")
        elif role == "inputs":
            found[name] = examples[0]
        elif role == "targets":
            found[name] = examples[1]
        elif role == "stub":
            found[name] = Anything()
        else:
            found[name] = subject.evaluate(what["text"])
    return found


def called(subject: Any, code: dict[str, Any], model: Any, examples: tuple[Any, ...]) -> Any:
    """What the function returns, or the names a loop leaves behind. Its output goes nowhere."""
    space = subject.space(code["file"])
    names = bind(subject, code, model, examples)
    batches = {name: (lambda *_a, **_k: examples[:2]) for name in code.get("batch_calls", ())}
    with contextlib.redirect_stdout(io.StringIO()), _replaced(space, batches):
        if code["function"]:
            return space[code["function"]](**names)
        names = {**space, **names, **batches}
        exec(compile(code["text"], code["file"], "exec"), names)
        return names


@contextlib.contextmanager
def _replaced(space: dict[str, Any], others: dict[str, Any]) -> Any:
    before = {name: space[name] for name in others if name in space}
    space.update(others)
    try:
        yield
    finally:
        space.update(before)


def _criterion(kind: str, torch: Any) -> Any:
    names = {"cross_entropy": "CrossEntropyLoss", "nll": "NLLLoss", "bce": "BCELoss", "bce_logits": "BCEWithLogitsLoss",
             "mse": "MSELoss"}  # fmt: skip
    return getattr(torch.nn, names[kind])()


def _loader(what: dict[str, Any], examples: tuple[Any, ...], torch: Any) -> Any:
    """A DataLoader in order, whose batches have the form the loop takes apart."""
    inputs, targets, batch_size = examples
    if what["form"] == "keys":
        first, second = what["keys"]
        rows = [{first: x, second: y} for x, y in zip(inputs, targets, strict=False)]
        return torch.utils.data.DataLoader(rows, batch_size=batch_size)
    tensors = (inputs,) if what["form"] == "single" else (inputs, targets)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), batch_size=batch_size)

"""Whether anything changes when one parameter does.

The model is built twice from one seed with another value of a constructor's parameter, or called twice with another value
of a parameter of `forward`. Outputs that are equal bit for bit, in training and in evaluation, did not see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, flag, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader


def ask(finding: Finding, reader: Reader) -> Ask:
    model = reader.class_of(finding)
    method, name = reader.parameter_of(finding)
    if method not in ("__init__", "forward"):
        raise Unsettled(f"a parameter of {method}, which nothing here can call")
    return {"owner": model[0].name, "method": method, "name": name, "models": reader.expressions(model)}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    text, _, owner = subject.holder(ask["models"], ask["owner"])
    first, again = (_answers(subject, text, None) for _ in range(2))
    if not _same(first, again, subject.torch):
        raise ValueError("the same model with the same seed answers differently")
    tried, same, error = 0, True, ""
    for tries in range(3):
        swap = subject.swap(type(owner), ask["method"], ask["name"], tries)
        try:
            other = _answers(subject, text, swap)
        except Exception as failed:  # noqa: BLE001 - inside the sandbox: the model may refuse the value in any way
            error = f"{type(failed).__name__}: {failed}"
            continue
        tried += swap.made
        same = same and _same(first, other, subject.torch)
    return {"tried": tried, "same": same, "error": error}


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    name = ask["name"]
    if number(facts, "tried") < 1:
        raise Unsettled(f"no other value of {name} could be tried: {facts.get('error') or 'it was never given'}")
    if not flag(facts, "same"):
        return "refuted", f"with another {name} the output is another"
    if facts.get("error"):
        raise Unsettled(f"with one other {name} the output is the same, with another one it fails: {facts['error']}")
    return "confirmed", f"with another {name} every output is the same, bit for bit"


def _answers(subject: Any, text: str, swap: Any) -> list[Any]:
    """Shapes of the parameters, then outputs in training and in evaluation, all from one seed."""
    inputs = subject.inputs(text)
    with subject.swapped(swap):
        model = subject.fresh(text)
        shapes = [tuple(p.shape) for p in model.parameters()]
        with subject.torch.no_grad():
            outputs = [subject.output(model.train(mode), inputs) for mode in (True, False)]
    return [shapes, *outputs]


def _same(one: list[Any], other: list[Any], torch: Any) -> bool:
    pairs = list(zip(one[1:], other[1:], strict=False))
    return one[0] == other[0] and all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)

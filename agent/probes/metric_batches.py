"""Whether a metric depends on the size of the batches or on the order of the examples.

The target's own evaluation runs on 23 made-up examples in batches of 23, 5 and 7, then in the reverse order. The first 14
are labelled as the model answers and the others not, so that a metric that weighs examples unequally shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .facts import Unsettled, number

if TYPE_CHECKING:
    from ..proposers.defects.base import Finding
    from .facts import Ask, Facts, Settled
    from .reader import Reader

EXAMPLES = 23
SIZES = (23, 5, 7)
RIGHT = 14
TOLERANCE = 1e-4


def ask(finding: Finding, reader: Reader) -> Ask:
    code = reader.function_code(finding)
    if not any(what["role"] == "loader" for what in code["names"].values()):
        raise Unsettled("it makes its batches itself")
    return {"code": code}


def measure(subject: Any, ask: Ask) -> dict[str, Any]:
    torch, model = subject.torch, subject.fresh().eval()
    inputs = subject.inputs(count=EXAMPLES)
    with torch.no_grad():
        output = subject.output(model, inputs)
    x, y = subject.examples(output, inputs)
    y[RIGHT:] = subject.wrong(y[RIGHT:], output)
    values = []
    for reverse in (False, True):
        pair = (x.flip(0), y.flip(0)) if reverse else (x, y)
        for size in SIZES:
            found = _numbers(subject.call(ask["code"], subject.steady(model), pair, size), torch)
            if not found:
                raise ValueError("the function returns no number")
            values.append(found)
    gaps = [max(column) - min(column) for column in zip(*values, strict=False)]
    scales = [max(abs(v) for v in column) for column in zip(*values, strict=False)]
    orders = [abs(a - b) for a, b in zip(values[0], values[len(SIZES)], strict=False)]
    return {"gap": max(g / max(s, 1e-12) for g, s in zip(gaps, scales, strict=False)), "order": max(orders), "numbers": len(gaps),
            "idle": all(s == 0 for s in scales)}  # fmt: skip


def decide(facts: Facts, ask: Ask) -> tuple[Settled, str]:
    gap = number(facts, "gap")
    if facts.get("idle") is not False:
        raise Unsettled("the metric was 0 each time")
    if gap > TOLERANCE:
        return (
            "confirmed",
            f"the metric differs by {gap:.2g} of its value over batch sizes and orders of the same examples",
        )
    return "refuted", f"the metric is the same for batches of {', '.join(map(str, SIZES))} in both orders"


def _numbers(value: Any, torch: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [number for one in value for number in _numbers(one, torch)][:20]
    if isinstance(value, torch.Tensor):
        return [float(value)] if value.numel() == 1 else []
    return [float(value)] if isinstance(value, (int, float)) else []

"""The last batch's value used as the epoch's."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]


def epoch(
    rest: str, *, loop: str = "for x, y in loader:", before: str = "", made: str = "criterion(model(x), y)"
) -> str:
    return f"""
def train_epoch(model, loader, criterion, optimizer, scheduler, history):
    model.train()
{before}    {loop}
        optimizer.zero_grad()
        loss = {made}
        loss.backward()
        optimizer.step()
    {rest}
"""


def kept(rest: str, **how: str) -> str:
    text = epoch(rest.replace("loss.item()", "MEAN"), **how).replace(
        "MEAN", "sum(loss_of_batches) / len(loss_of_batches)"
    )
    made = how.get("made", "criterion(model(x), y)")
    loop = how.get("loop", "for x, y in loader:")
    text = text.replace(f"    {loop}\n", f"    loss_of_batches = []\n    {loop}\n")
    number = "loss" if made.endswith(".item()") else "loss.item()"
    return text.replace(f"loss = {made}\n", f"loss = {made}\n        loss_of_batches.append({number})\n")


@pytest.mark.parametrize(
    ("rest", "how"),
    [
        ("return loss.item()", {}),
        ("scheduler.step(loss.item())", {}),
        ("history.append(loss.item())", {}),
        ("return loss.item()", {"loop": "for i, (x, y) in enumerate(tqdm(loader)):"}),
        ("return loss.item()", {"loop": "for i in range(0, len(x), 32):"}),
        ("return loss.item()", {"made": "F.cross_entropy(model(x), y)"}),
        ("print(loss.item())\n    if loss.item() < 0.1:\n        return True", {}),
    ],
)
def test_is_mended(rest: str, how: dict[str, str], mended: Callable[[str, Program, Program], None]) -> None:
    after = kept(rest, **how)
    if rest.startswith("print"):
        after = after.replace("print(sum(loss_of_batches) / len(loss_of_batches))", "print(loss.item())")
    mended("last_batch_as_epoch", epoch(rest, **how), after)


@pytest.mark.parametrize(
    ("rest", "how"),
    [
        ("print(loss.item())", {}),
        ('print(f"loss {loss.item():.3f}")', {}),
        ("writer.add_scalar('loss', loss.item(), 1)", {}),
        ("return loss.item()", {"loop": "for step in range(steps):"}),
        ("return loss.item()", {"loop": "while True:"}),
        ("return total / len(loader)", {"made": "criterion(model(x), y)\n        total += loss.item()"}),
        ("return loss", {"made": "loss + criterion(model(x), y)", "before": "    loss = 0\n"}),
        ("loss = validate(model)\n    return loss", {}),
        ("return loss.item()", {"made": "criterion(model(x), y)\n        if loss > 9:\n            break"}),
        ("return model", {}),
        ("return [loss for loss in history]", {}),
        ("loss.backward()\n    return loss.item()", {}),
    ],
)
def test_is_silent(rest: str, how: dict[str, str], found: Callable[[str, Program], list[Any]]) -> None:
    assert found("last_batch_as_epoch", epoch(rest, **how)) == []

"""Training data in the same order every epoch."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
HEAD = "import torch\nimport numpy as np\nfrom torch.utils.data import DataLoader\n\n\n"
FIT = """

def fit(model, train_loader, test_loader, optimizer):
    for x, y in train_loader:
        optimizer.zero_grad()
        model(x, y).backward()
        optimizer.step()
    for x, y in test_loader:
        model.score(x, y)
"""


def loaders(train: str, test: str = "DataLoader(test_set, batch_size=64)") -> str:
    return HEAD + f"train_loader = {train}\ntest_loader = {test}\n" + FIT


HAND = (
    HEAD
    + """def train(model, x, y, optimizer, size):
    for epoch in range(9):
        for i in range(0, len(x), size):
            xb, yb = x[i : i + size], y[i : i + size]
            loss = model(xb, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
"""
)
BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "not said": (loaders("DataLoader(train_set, batch_size=64)"), loaders("DataLoader(train_set, batch_size=64, shuffle=True)")),
    "said not to": (
        loaders("DataLoader(train_set, 64, shuffle=False, num_workers=2)"),
        loaders("DataLoader(train_set, 64, shuffle=True, num_workers=2)"),
    ),
    "qualified, over lines": (
        loaders("torch.utils.data.DataLoader(\n    train_set,\n    batch_size=64,\n)"),
        loaders("torch.utils.data.DataLoader(\n    train_set,\n    batch_size=64,\n    shuffle=True,\n)"),
    ),
    "by hand": (
        HAND,
        HAND.replace("        for i in", "        order = torch.randperm(len(x))\n        for i in").replace(
            "x[i : i + size], y[i : i + size]", "x[order[i : i + size]], y[order[i : i + size]]"
        ),
    ),
    "named by what it is used for": (
        HEAD + "def train(data, model):\n    loader = DataLoader(data, 32)\n    for b in loader:\n        model(b).backward()\n",
        HEAD + "def train(data, model):\n    loader = DataLoader(data, 32, shuffle=True)\n    for b in loader:\n        model(b).backward()\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("unshuffled_training", *BEFORE_AFTER[case])


STREAM = (
    "class Rows(torch.utils.data.IterableDataset):\n    def __iter__(self):\n        yield 1\n\n\ntrain_set = Rows()\n"
)
CLEAN = {
    "shuffled": loaders("DataLoader(train_set, batch_size=64, shuffle=True)"),
    "shuffled by position": loaders("DataLoader(train_set, 64, True)"),
    "a sampler": loaders("DataLoader(train_set, 64, sampler=sampler)"),
    "a batch sampler": loaders("DataLoader(train_set, batch_sampler=sampler)"),
    "a condition": loaders("DataLoader(train_set, 64, shuffle=sampler is None)"),
    "options passed on": loaders("DataLoader(train_set, **options)"),
    "a stream": HEAD + STREAM + loaders("DataLoader(train_set, 64)")[len(HEAD) :],
    "an iterator": loaders("DataLoader(train_iterator, 64)"),
    "held-out data": HEAD + "val_loader = DataLoader(val_set, 64)\ntest_loader = DataLoader(test_set, 64)\n" + FIT,
    "training data that is only scored": HEAD
    + "loader = DataLoader(data, 64, shuffle=True)\ntrain_loader = DataLoader(train_set, 64)\n"
    + "def train(model):\n    for b in loader:\n        model(b).backward()\n\n"
    + "def encode(model):\n    return [model(b) for b in []]\n\ndef test(model):\n    for b in train_loader:\n        model(b)\n",
    "prediction": HEAD + "def predict(model, train_set):\n    return [model(b) for b in DataLoader(train_set, 64)]\n" + FIT,
    "permuted by hand": HAND.replace("        for i in", "        x = x[torch.randperm(len(x))]\n        for i in"),
    "windows over a text": HAND.replace("size", "bptt"),
    "one array, read on": HAND.replace(", y[i : i + size]", ", y"),
    "one pass": HAND.replace("    for epoch in range(9):\n", "    if x is not None:\n"),
    "evaluation by hand": HAND.replace("loss.backward()", "losses.append(loss)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert found("unshuffled_training", CLEAN[case]) == []

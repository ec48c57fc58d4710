"""Outputs that are normalised before a loss that normalises them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
TRAIN = """

def train(loader):
    model = Net()
    criterion = nn.CrossEntropyLoss()
    for x, y in loader:
        out = model(x)
        loss = criterion(out, y)
        loss.backward()
"""


def net(last: str, init: str = "self.head = nn.Linear(8, 3)") -> str:
    return (
        f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {init}\n\n"
        f"    def forward(self, x):\n        {last}\n"
    )


def both(last: str, fixed: str, **how: str) -> tuple[str, str]:
    return HEAD + net(last, **how) + TRAIN, HEAD + net(fixed, **how) + TRAIN


SEQUENTIAL = "self.head = nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=1))"
BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "functional": both("return F.softmax(self.head(x), dim=1)", "return self.head(x)"),
    "torch function": both("return torch.softmax(self.head(x), -1)", "return self.head(x)"),
    "method": both("return self.head(x).softmax(dim=-1)", "return self.head(x)"),
    "a variable": both(
        "x = self.head(x)\n        out = F.softmax(x, dim=1)\n        return out", "x = self.head(x)\n        out = x\n        return out"
    ),
    "a layer": both(
        "return self.act(self.head(x))", "return self.head(x)",
        init="self.head = nn.Linear(8, 3)\n        self.act = nn.Softmax(dim=1)",
    ),
    "a sequential": (
        HEAD + net("return self.head(x)", init=SEQUENTIAL) + TRAIN,
        HEAD + net("return self.head(x)", init=SEQUENTIAL.replace(", nn.Softmax(dim=1)", "")) + TRAIN,
    ),
    "sigmoid before cross entropy": both("return torch.sigmoid(self.head(x))", "return self.head(x)"),
    "at the loss": (
        HEAD + "def loss_of(model, x, y):\n    return F.cross_entropy(F.softmax(model(x), dim=1), y)\n",
        HEAD + "def loss_of(model, x, y):\n    return F.cross_entropy(model(x), y)\n",
    ),
    "probabilities used besides": (
        HEAD + "def loss_of(model, x, y):\n    logits = model(x)\n    probs = logits.softmax(1)\n"
        "    loss = F.cross_entropy(probs, y)\n    return loss, probs[:, 1]\n",
        HEAD + "def loss_of(model, x, y):\n    logits = model(x)\n    probs = logits.softmax(1)\n"
        "    loss = F.cross_entropy(logits, y)\n    return loss, probs[:, 1]\n",
    ),
    "a bare sequential": (
        HEAD + "model = nn.Sequential(\n    nn.Linear(8, 3),\n    nn.Softmax(dim=1),\n)\ncriterion = nn.CrossEntropyLoss()\n"
        "for x, y in loader:\n    criterion(model(x), y).backward()\n",
        HEAD + "model = nn.Sequential(\n    nn.Linear(8, 3),\n)\ncriterion = nn.CrossEntropyLoss()\n"
        "for x, y in loader:\n    criterion(model(x), y).backward()\n",
    ),
    "sigmoid before logits loss": (
        HEAD + "def loss_of(model, x, y):\n    loss = nn.BCEWithLogitsLoss()\n    return loss(torch.sigmoid(model(x)), y)\n",
        HEAD + "def loss_of(model, x, y):\n    loss = nn.BCELoss()\n    return loss(torch.sigmoid(model(x)), y)\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("softmax_before_loss", *BEFORE_AFTER[case])


def test_across_files_with_a_base_class(mended: Callable[[str, Program, Program], None]) -> None:
    base = HEAD + "class Base(nn.Module):\n    def forward(self, x):\n        return F.softmax(self.head(x), dim=1)\n"
    child = (
        HEAD
        + "from base import Base\n\n\nclass Net(Base):\n    def __init__(self):\n        super().__init__()\n        self.head = nn.Linear(8, 3)\n"
    )
    trainer = (
        HEAD
        + """
from model import Net

class Trainer:
    def __init__(self, model, criterion):
        self.model = model
        self.criterion = criterion

    def loss(self, x, y):
        return self.criterion(self.model(x), y)

def main():
    Trainer(Net().to("cpu"), nn.CrossEntropyLoss()).loss(1, 2)
"""
    )
    rest = {"model.py": child, "trainer.py": trainer}
    mended(
        "softmax_before_loss",
        {"base.py": base, **rest},
        {"base.py": base.replace("F.softmax(self.head(x), dim=1)", "self.head(x)"), **rest},
    )


CLEAN = {
    "raw scores": HEAD + net("return self.head(x)") + TRAIN,
    "nll of log_softmax": HEAD + net("return F.log_softmax(self.head(x), dim=1)") + TRAIN.replace("CrossEntropyLoss", "NLLLoss"),
    "bce of sigmoid": HEAD + net("return torch.sigmoid(self.head(x))") + TRAIN.replace("CrossEntropyLoss", "BCELoss"),
    "attention": HEAD + net("w = F.softmax(self.head(x), dim=-1)\n        return self.out(w @ x)") + TRAIN,
    "raw while training": HEAD + net("x = self.head(x)\n        return x if self.training else F.softmax(x, 1)") + TRAIN,
    "raw while training, by a return": HEAD
    + net("if self.training:\n            return self.head(x)\n        return F.softmax(self.head(x), 1)") + TRAIN,
    "softmax for the predictions": HEAD + net("return self.head(x)") + TRAIN + "        probs = F.softmax(out, dim=1)\n",
    "a method for predictions": HEAD
    + net("return self.head(x)\n\n    def predict(self, x):\n        return F.softmax(self(x), 1)") + TRAIN,
    "a policy": HEAD + net("return F.softmax(self.head(x), dim=-1)")
    + "\ndef act(x):\n    return torch.distributions.Categorical(Net()(x)).sample()\n",
    "another model's loss": HEAD + net("return F.softmax(self.head(x), dim=1)")
    + TRAIN.replace("model = Net()", "model = nn.Linear(8, 3)"),
    "soft targets": HEAD + "def distil(s, t, x):\n    return F.cross_entropy(s(x), F.softmax(t(x), dim=1))\n",
    "a loss of the user's own": HEAD + "from losses import cross_entropy\n\ndef f(m, x, y):\n    return cross_entropy(F.softmax(m(x), 1), y)\n",
    "a user's softmax": HEAD + "def f(m, x, y):\n    return F.cross_entropy(m.softmax(x), y)\n\nclass M:\n    def softmax(self, x):\n        return x\n",
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert found("softmax_before_loss", CLEAN[case]) == []

"""Losses that do not fit the output they are given."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F
"""
NET = (
    HEAD
    + """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 16)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = F.relu(self.body(x))
        return self.head(x)

"""
)


def loop(loss: str, made: str = "nn.CrossEntropyLoss()") -> str:
    return (
        NET
        + f"""
def train(loader):
    model = Net()
    criterion = {made}
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        loss = {loss}
        loss.backward()
        optimizer.step()
"""
    )


BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "nll on raw scores": (loop("criterion(model(x), y)", "nn.NLLLoss()"), loop("criterion(model(x), y)")),
    "nll function on raw scores": (loop("F.nll_loss(model(x), y)"), loop("F.cross_entropy(model(x), y)")),
    "bce on raw scores": (
        loop("criterion(model(x), y)", "nn.BCELoss(reduction='mean')"),
        loop("criterion(model(x), y)", "nn.BCEWithLogitsLoss(reduction='mean')"),
    ),
    "bce function": (
        loop("F.binary_cross_entropy(model(x).squeeze(1), y)"),
        loop("F.binary_cross_entropy_with_logits(model(x).squeeze(1), y)"),
    ),
    "squared error on one hot": (
        loop("criterion(model(x), F.one_hot(y, 10).float())", "nn.MSELoss()"),
        loop("criterion(model(x), y)"),
    ),
    "squared error function on one hot": (
        loop("F.mse_loss(model(x), F.one_hot(y, num_classes=10).to(torch.float32))"),
        loop("F.cross_entropy(model(x), y)"),
    ),
    "softmax given to nll": (
        loop("criterion(model(x), y)", "nn.NLLLoss()").replace("return self.head(x)", "return F.softmax(self.head(x), dim=1)"),
        loop("criterion(model(x), y)", "nn.NLLLoss()").replace("return self.head(x)", "return F.log_softmax(self.head(x), dim=1)"),
    ),
    "one class with argmax": (
        loop("criterion(model(x), y)").replace("nn.Linear(16, 10)", "nn.Linear(16, 1)") + "        right = model(x).argmax(1)\n",
        loop("criterion(model(x), y)").replace("nn.Linear(16, 10)", "nn.Linear(16, 2)") + "        right = model(x).argmax(1)\n",
    ),
    "one class": (
        loop("criterion(model(x), y)").replace("nn.Linear(16, 10)", "nn.Linear(16, 1)"),
        loop("criterion(model(x).squeeze(-1), y.float().view(-1))", "nn.BCEWithLogitsLoss()").replace(
            "nn.Linear(16, 10)", "nn.Linear(16, 1)"
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("wrong_loss", *BEFORE_AFTER[case])


def test_across_files_and_on_self(mended: Callable[[str, Program, Program], None]) -> None:
    trainer = """
    import torch
    from torch.nn import NLLLoss

    from model import Net


    class Trainer:
        def __init__(self):
            self.net = Net().to("cpu")
            self.loss = NLLLoss()

        def step(self, x, y):
            out = self.net(x)
            return self.loss(out, y)
    """
    mended(
        "wrong_loss",
        {"model.py": NET, "trainer.py": trainer},
        {
            "model.py": NET,
            "trainer.py": trainer.replace("self.loss = NLLLoss()", "self.loss = CrossEntropyLoss()").replace(
                "import NLLLoss\n", "import NLLLoss\n    from torch.nn import CrossEntropyLoss\n"
            ),
        },
    )  # fmt: skip


CLEAN = {
    "cross entropy on raw scores": loop("criterion(model(x), y)"),
    "regression": loop("criterion(model(x), y)", "nn.MSELoss()"),
    "reconstruction": loop("F.mse_loss(model(x), x)"),
    "values of a policy": loop("F.mse_loss(model(x).squeeze(-1), returns)"),
    "nll after log_softmax": loop("criterion(F.log_softmax(model(x), 1), y)", "nn.NLLLoss()"),
    "nll of log_softmax in the model": loop("criterion(model(x), y)", "nn.NLLLoss()").replace(
        "return self.head(x)", "return F.log_softmax(self.head(x), dim=1)"
    ),
    "bce after sigmoid": loop("criterion(torch.sigmoid(model(x)), y)", "nn.BCELoss()"),
    "bce with sigmoid layer": loop("criterion(model(x), y)", "nn.BCELoss()").replace(
        "nn.Linear(16, 10)", "nn.Sequential(nn.Linear(16, 10), nn.Sigmoid())"
    ),
    "bce of something else": loop("criterion(score(x), y)", "nn.BCELoss()"),
    "weights carried by position": loop("criterion(model(x), y)", "nn.BCELoss(weights)"),
    "losses to choose from": loop("criterion(model(x), y)", "nn.NLLLoss() if flag else nn.CrossEntropyLoss()"),
    "a loss of the user's own": loop("NLLLoss()(model(x), y)") + "\n\nclass NLLLoss(nn.Module):\n    pass\n",
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert found("wrong_loss", CLEAN[case]) == []

"""Evaluation in training mode, with gradients; training in evaluation mode."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
HEAD = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 3))

    def forward(self, x):
        return self.body(x)

"""
EVALUATE = """
def evaluate(model, loader):
    right = 0
    for x, y in loader:
        right += (model(x).argmax(1) == y).sum().item()
    return right
"""
TRAIN = """
def train(model, loader, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
"""
MAIN = """
def main(train_loader, test_loader):
    model = Net()
    for epoch in range(9):
        train(model, train_loader, None)
        evaluate(model, test_loader)
"""
MENDED = EVALUATE.replace("\ndef", "\n@torch.no_grad()\ndef").replace(
    "    right = 0", "    model.eval()\n    right = 0"
)
FORGETS = TRAIN.replace("    model.train()\n", "")
LOOP = """
def fit(model, train_loader, val_loader, optimizer):
    for epoch in range(9):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        right = 0
        for x, y in val_loader:
            right += (model(x).argmax(1) == y).sum().item()
        print(right)
"""
WRAPPED = LOOP.replace(
    "        for x, y in val_loader:\n            right",
    "        model.eval()\n        with torch.no_grad():\n            for x, y in val_loader:\n                right",
)
BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "neither": (HEAD + EVALUATE + TRAIN + MAIN, HEAD + MENDED + TRAIN + MAIN),
    "no eval": (HEAD + EVALUATE.replace("\ndef", "\n@torch.no_grad()\ndef") + TRAIN + MAIN, HEAD + MENDED + TRAIN + MAIN),
    "no no_grad": (HEAD + MENDED.replace("@torch.no_grad()\n", "") + TRAIN + MAIN, HEAD + MENDED + TRAIN + MAIN),
    "training is put back": (
        HEAD + EVALUATE + FORGETS + MAIN,
        HEAD + MENDED + FORGETS.replace("    for x", "    model.train()\n    for x") + MAIN,
    ),
    "a loop inside the training": (HEAD + LOOP, HEAD + WRAPPED),
    "training goes on in evaluation mode": (
        HEAD + MENDED + FORGETS + MAIN,
        HEAD + MENDED + FORGETS.replace("    for x", "    model.train()\n    for x") + MAIN,
    ),
    "a script": (
        {"net.py": HEAD, "predict.py": "import torch\nfrom net import Net\nmodel = Net()\nmodel.load_state_dict(torch.load('m.pt'))\nout = model(torch.load('x.pt'))\n"},
        {"net.py": HEAD, "predict.py": "import torch\nfrom net import Net\nmodel = Net()\nmodel.load_state_dict(torch.load('m.pt'))\nmodel.eval()\nwith torch.no_grad():\n    out = model(torch.load('x.pt'))\n"},
    ),
    "a method": (
        HEAD + "class Runner:\n    def __init__(self):\n        self.net = Net()\n\n    def validate(self, loader):\n        return [self.net(x) for x in loader]\n",
        HEAD + "class Runner:\n    def __init__(self):\n        self.net = Net()\n\n    @torch.no_grad()\n    def validate(self, loader):\n        self.net.eval()\n        return [self.net(x) for x in loader]\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("evaluation_mode", *BEFORE_AFTER[case])


CLEAN = {
    "right": HEAD + MENDED + TRAIN + MAIN,
    "inference mode": HEAD + MENDED.replace("no_grad", "inference_mode") + TRAIN + MAIN,
    "train(False)": HEAD + MENDED.replace("model.eval()", "model.train(False)") + TRAIN + MAIN,
    "set by the caller": HEAD + EVALUATE + TRAIN
    + MAIN.replace("        evaluate(", "        model.eval()\n        with torch.no_grad():\n            evaluate("),
    "set two levels up": HEAD + EVALUATE + "def report(model, loader):\n    return evaluate(model, loader)\n"
    + "def main(loader):\n    model = Net().eval()\n    with torch.inference_mode():\n        report(model, loader)\n",
    "set by the loader of the model": HEAD
    + "def load():\n    model = Net()\n    model.eval()\n    return model\n\n@torch.no_grad()\ndef predict(x):\n    model = load()\n    return model(x)\n",
    "a context in the function": HEAD + MENDED.replace("@torch.no_grad()\n", "").replace(
        "    for x", "    with torch.no_grad():\n     for x").replace("        right", "         right") + TRAIN + MAIN,
    "by phase": HEAD + """
def run(model, loaders, optimizer):
    for phase in ["train", "val"]:
        model.train(phase == "train")
        for x, y in loaders[phase]:
            with torch.set_grad_enabled(phase == "train"):
                loss = nn.functional.cross_entropy(model(x), y)
                if phase == "train":
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
""",
    "lightning": HEAD + "import lightning as L\nclass Module(L.LightningModule):\n    def validation_step(self, batch, i):\n        return self.model(batch)\n",
    "no layer with two modes": HEAD.replace("nn.Dropout(0.5)", "nn.ReLU()") + MENDED.replace("    model.eval()\n", "") + TRAIN + MAIN,
    "a training loss called test": HEAD + "def test_time_loss(model, x, y):\n    loss = nn.functional.cross_entropy(model(x), y)\n    loss.backward()\n",
    "scikit-learn": "from sklearn.svm import SVC\n\ndef evaluate(model, x, y):\n    return (model.predict(x) == y).mean()\n",
    "keras": "import keras\n\ndef evaluate(model, x):\n    return model(x)\n",
    "a pretrained model": "import torch\nfrom transformers import AutoModel\n\n@torch.no_grad()\ndef predict(x):\n    model = AutoModel.from_pretrained('a')\n    return model(x)\n",
    "a predictor class": HEAD + "class P:\n    def __init__(self):\n        self.model = Net()\n        self.model.eval()\n\n    @torch.no_grad()\n    def predict(self, x):\n        return self.model(x)\n",
    "a frozen teacher": HEAD + TRAIN.replace("    for x", "    teacher = Net().eval()\n    for x") + MAIN.replace("        evaluate(model, test_loader)\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert [f.title for f in found("evaluation_mode", CLEAN[case])] == []

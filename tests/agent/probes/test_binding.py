"""What stands for each name of a training loop, read from the code alone."""

from typing import Any

import pytest

from branchlab.agent.probes.facts import Unsettled
from branchlab.agent.probes.reader import Reader
from branchlab.agent.proposers.defects import Finding, Program
from branchlab.agent.read import read_code

HEAD = """import argparse
import os
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc = nn.Linear(width, 3)

    def forward(self, x):
        return self.fc(x)


"""


def code_of(text: str, symbol: str) -> dict[str, Any]:
    reader = Reader(Program.of(read_code("0" * 40, {"train.py": (HEAD + text).encode()})))
    line = next(n for n, one in enumerate((HEAD + text).splitlines(), 1) if "backward" in one)
    return reader.training(Finding("missing_zero_grad", "train.py", line, symbol, "", "", ()))


def roles(code: dict[str, Any]) -> dict[str, str]:
    return {name: what["role"] for name, what in code["names"].items()}


FUNCTION = """def train(args, net, device, loader, optimizer, epoch, logger):
    for i, (x, y) in enumerate(loader):
        loss = F.cross_entropy(net(x.to(device)), y)
        loss.backward()
        optimizer.step()
        if i % args.every == 0:
            logger.info(f"{epoch} {loss.item()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--data", required=True)
    args = parser.parse_args()
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(3):
        train(args, net, "cpu", torch.load(args.data), optimizer, epoch, print)
"""
SCRIPT = """ddp = int(os.environ.get("RANK", -1)) != -1
steps = 100
model = Net(width=6)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(steps):
    x, y = get_batch("train")
    loss = F.cross_entropy(model(x), y)
    if ddp:
        loss = loss / 2
    loss.backward()
    optimizer.step()
"""
KEYS = """def train(model, train_loader, criterion, optimizer):
    for batch in train_loader:
        loss = criterion(model(batch["pixels"]), batch["label"])
        loss.backward()
        optimizer.step()


train(Net(), torch.load("x"), nn.CrossEntropyLoss(), torch.optim.Adam([]))
"""


def test_a_function_gets_each_parameter_by_what_its_callers_give() -> None:
    code = code_of(FUNCTION, "train")
    assert code["function"] == "train"
    assert roles(code) == {"args": "expr", "net": "model", "device": "device", "loader": "loader", "optimizer": "optimizer",
                           "epoch": "expr", "logger": "stub"}  # fmt: skip
    assert code["names"]["args"]["text"] == "_args(every=10)"
    assert code["names"]["epoch"]["text"] == "1"
    assert code["names"]["loader"]["form"] == "pair"


def test_a_loop_of_the_script_itself_runs_alone_and_its_batches_are_made_up() -> None:
    code = code_of(SCRIPT, "")
    assert code["function"] == ""
    assert code["text"].startswith("for step in range(steps):")
    assert roles(code) == {"steps": "expr", "model": "model", "ddp": "expr", "optimizer": "optimizer"}
    assert code["batch_calls"] == ["get_batch"]


def test_batches_with_two_keys_are_made_with_those() -> None:
    loader = code_of(KEYS, "train")["names"]["train_loader"]
    assert loader == {"role": "loader", "form": "keys", "keys": ["pixels", "label"]}


@pytest.mark.parametrize(
    ("text", "symbol", "why"),
    [
        (FUNCTION.replace("(x, y) in", "(x, y, z) in"), "train", "3 parts"),
        (SCRIPT.replace("loss / 2", "loss * table"), "", "table"),
        (SCRIPT.replace("model(x)", "model(x) + Net.mean"), "", ""),
        (SCRIPT.replace("model(x)", "critic(model(x))").replace("steps =", "critic, steps = Net(),"), "", "2 models"),
    ],
)
def test_what_is_not_understood_is_said(text: str, symbol: str, why: str) -> None:
    if not why:
        assert code_of(text, symbol)["names"]["model"] == {"role": "model"}
        return
    with pytest.raises(Unsettled, match=why):
        code_of(text, symbol)


def test_a_loop_in_a_method_is_not_run() -> None:
    text = """class Trainer:
    def fit(self, loader):
        for x, y in loader:
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()


Trainer().fit(Net())
"""
    with pytest.raises(Unsettled):
        code_of(text, "Trainer.fit")

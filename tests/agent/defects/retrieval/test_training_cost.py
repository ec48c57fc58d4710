"""Optimizers, layers, softmax and debugging modes that cost steps; loaders that run what they load."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]

ADAM = """
import torch

def main(net):
    return torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=0.01)
"""
CONV = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, 3, padding=1),
        )
"""
SOFTMAX = """
import torch.nn.functional as F

def weights(scores):
    return F.softmax(scores)
"""
ANOMALY = """
import torch

torch.autograd.set_detect_anomaly(True)
train()
"""
YAML = """
import yaml

def read(file):
    return yaml.load(file, Loader=yaml.Loader)
"""
HUB = """
import torch
from huggingface_hub import hf_hub_download

def weights(repo):
    path = hf_hub_download(repo, "model.pt")
    return torch.load(path, weights_only=False)
"""
EMPTY = """
import torch

def train(model, loader, optimizer):
    for batch in loader:
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
        torch.cuda.empty_cache()
"""
BEFORE_AFTER: dict[str, tuple[str, Program, Program]] = {
    "Adam with decay": ("adam_weight_decay", ADAM, ADAM.replace("optim.Adam(", "optim.AdamW(")),
    "biases before batch normalisation": (
        "bias_before_norm", CONV,
        CONV.replace("padding=1),\n            nn.BatchNorm2d", "padding=1, bias=False),\n            nn.BatchNorm2d"),
    ),
    "a softmax that guesses": ("implicit_softmax_dim", SOFTMAX, SOFTMAX.replace("(scores)\n", "(scores, dim=-1)\n").replace("weights(scores, dim=-1)", "weights(scores)")),
    "a layer that guesses": (
        "implicit_softmax_dim",
        "from torch import nn\n\nhead = nn.Sequential(nn.Linear(3, 2), nn.LogSoftmax())\n",
        "from torch import nn\n\nhead = nn.Sequential(nn.Linear(3, 2), nn.LogSoftmax(dim=-1))\n",
    ),
    "anomaly detection": ("anomaly_mode_left_on", ANOMALY, ANOMALY.replace("True", "False")),
    "the cache emptied each step": ("cache_emptied_each_step", EMPTY, EMPTY.replace("        torch.cuda.empty_cache()\n", "")),
    "yaml that builds objects": ("unsafe_load", YAML, YAML.replace("load(file, Loader=yaml.Loader)", "safe_load(file)")),
    "weights from a hub": ("unsafe_load", HUB, HUB.replace("weights_only=False", "weights_only=True")),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended(*BEFORE_AFTER[case])


SILENT = {
    "AdamW": ("adam_weight_decay", ADAM.replace("optim.Adam(", "optim.AdamW(")),
    "no decay": ("adam_weight_decay", ADAM.replace("0.01", "0.0")),
    "a small decay": ("adam_weight_decay", ADAM.replace("0.01", "1e-5")),
    "a setting": ("adam_weight_decay", ADAM.replace("0.01", "args.decay")),
    "one of several": ("adam_weight_decay", ADAM.replace("    return", "    if sgd:\n        return torch.optim.SGD(net.parameters(), lr=1)\n    return")),
    "no bias": ("bias_before_norm", CONV.replace("padding=1)", "padding=1, bias=False)")),
    "an activation between": ("bias_before_norm", CONV.replace("nn.BatchNorm2d(8)", "nn.ReLU(),\n            nn.BatchNorm2d(8)")),
    "another norm": ("bias_before_norm", CONV.replace("nn.BatchNorm2d(8)", "nn.GroupNorm(2, 8)")),
    "layers of unknown arguments": ("bias_before_norm", CONV.replace("padding=1)", "**options)")),
    "a dimension by name": ("implicit_softmax_dim", SOFTMAX.replace("(scores)\n", "(scores, dim=1)\n")),
    "a dimension by place": ("implicit_softmax_dim", SOFTMAX.replace("F.softmax(scores)", "F.softmax(scores, 1)")),
    "a softmax of its own": ("implicit_softmax_dim", "def softmax(x):\n    return x\n\ny = softmax(1)\n"),
    "anomaly detection off": ("anomaly_mode_left_on", ANOMALY.replace("True", "False")),
    "anomaly detection by a flag": ("anomaly_mode_left_on", ANOMALY.replace("True", "args.debug")),
    "below a condition": ("anomaly_mode_left_on", ANOMALY.replace("torch.autograd", "if DEBUG:\n    torch.autograd")),
    "the cache emptied once": ("cache_emptied_each_step", EMPTY.replace("        torch.cuda", "    torch.cuda")),
    "the cache emptied now and then": ("cache_emptied_each_step", EMPTY.replace("        torch.cuda", "        if n % 100 == 0:\n            torch.cuda")),
    "the cache emptied in evaluation": ("cache_emptied_each_step", EMPTY.replace(".backward()", "")),
    "safe yaml": ("unsafe_load", YAML.replace("Loader=yaml.Loader", "Loader=yaml.SafeLoader")),
    "weights of one's own": ("unsafe_load", HUB.replace('hf_hub_download(repo, "model.pt")', '"model.pt"')),
    "a pickle of one's own": ("unsafe_load", "import pickle\n\ndef read(path):\n    return pickle.load(open(path, 'rb'))\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    detector, program = SILENT[case]
    assert found(detector, program) == []


def test_a_fetched_pickle_is_advised(found: Callable[[str, Program], list[Any]]) -> None:
    program = "import pickle\nimport requests\n\ndef read(url):\n    return pickle.loads(requests.get(url).content)\n"
    (finding,) = found("unsafe_load", program)
    assert finding.action == "advise"


@pytest.mark.train
def test_the_bias_that_is_left_out_changed_nothing() -> None:
    """The claim behind `bias_before_norm`, on numbers."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    conv, norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)
    x = torch.randn(8, 3, 6, 6)
    with_bias = norm(conv(x))
    without = norm(torch.nn.functional.conv2d(x, conv.weight))
    assert torch.allclose(with_bias, without, atol=1e-5)


@pytest.mark.train
def test_a_softmax_that_guesses_goes_over_the_batch_of_three_dimensions() -> None:
    """The claim behind `implicit_softmax_dim`."""
    torch = pytest.importorskip("torch")
    with pytest.warns(UserWarning, match="Implicit dimension"):
        guessed = torch.nn.functional.softmax(torch.zeros(5, 2, 3))
    assert torch.allclose(guessed, torch.full((5, 2, 3), 0.2))

"""Layers: not registered, not called, called for nothing, dropping in evaluation, frozen in vain."""

from collections.abc import Callable
from typing import Any

import pytest

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"
MODEL = (
    HEAD
    + "class Net(nn.Module):\n    def __init__(self, d, n):\n        super().__init__()\n        {init}\n\n    def forward(self, x):\n        {forward}\n"
)


def net(init: str, forward: str) -> str:
    return MODEL.replace("{init}", init.replace("\n", "\n        ")).replace(
        "{forward}", forward.replace("\n", "\n        ")
    )


LISTED = net("self.blocks = [nn.Linear(d, d) for _ in range(n)]", "for b in self.blocks:\n    x = b(x)\nreturn x")
DROPS = net("self.fc = nn.Linear(d, d)", "return F.dropout(self.fc(x), 0.5)")
ATTENDS = net("self.p = 0.1", "return F.scaled_dot_product_attention(x, x, x, dropout_p=self.p)")
FROZEN = net("self.body = nn.Linear(d, d)\nself.body.requires_grad = False", "return self.body(x)")
TWICE = net(
    "self.norm1 = nn.LayerNorm(d)\nself.norm2 = nn.LayerNorm(d)\nself.mlp = nn.Linear(d, n)",
    "x = x + self.mlp(self.norm1(x))\nreturn x * self.norm1(x)",
)
LOST = net(
    "self.conv = nn.Conv2d(d, d, 3)\nself.bn = nn.BatchNorm2d(d)",
    "h = self.conv(x)\nh = self.bn(x)\nreturn F.relu(h)",
)
BLOCK = net(
    "self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)\nself.attn = Attn(d)\n"
    "self.mlp = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, d))",
    "x = x + self.attn(self.norm1(x))\nx = self.mlp(self.norm2(x))\nreturn x",
)
CHANGES: dict[str, tuple[str, str, str, str]] = {
    "a list comprehension": (
        "list_of_layers", LISTED, "[nn.Linear(d, d) for _ in range(n)]", "nn.ModuleList([nn.Linear(d, d) for _ in range(n)])",
    ),
    "a dictionary": (
        "list_of_layers",
        net("self.heads = {'a': nn.Linear(d, 1), 'b': nn.Linear(d, 2)}", "return self.heads['a'](x)"),
        "{'a': nn.Linear(d, 1), 'b': nn.Linear(d, 2)}", "nn.ModuleDict({'a': nn.Linear(d, 1), 'b': nn.Linear(d, 2)})",
    ),
    "dropout": ("functional_dropout", DROPS, "F.dropout(self.fc(x), 0.5)", "F.dropout(self.fc(x), 0.5, training=self.training)"),
    "attention dropout": ("functional_dropout", ATTENDS, "dropout_p=self.p", "dropout_p=self.p if self.training else 0.0"),
    "a layer": ("freeze_without_effect", FROZEN, "self.body.requires_grad = False", "self.body.requires_grad_(False)"),
    "children": (
        "freeze_without_effect",
        HEAD + "def freeze(model):\n    for layer in model.children():\n        layer.requires_grad = False\n",
        "layer.requires_grad = False", "layer.requires_grad_(False)",
    ),
    "the twin called twice": ("unused_layer", TWICE, "x * self.norm1(x)", "x * self.norm2(x)"),
    "the norm of the input": ("layer_output_lost", LOST, "self.bn(x)", "self.bn(h)"),
    "a nested call": (
        "layer_output_lost", LOST.replace("self.conv(x)\n", "self.conv(self.conv(x))\n"), "self.bn(x)", "self.bn(h)",
    ),
    "one residual of two": ("residual_missing", BLOCK, "x = self.mlp(self.norm2(x))", "x = x + self.mlp(self.norm2(x))"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_is_mended(case: str, mended: Callable[[str, str, str], None]) -> None:
    detector, before, old, new = CHANGES[case]
    assert before.count(old) == 1
    mended(detector, before, before.replace(old, new))


def test_an_import_is_added_where_torch_nn_has_no_name(mended: Callable[[str, str, str], None]) -> None:
    head = "from torch.nn import Linear, Module\n"
    body = "\n\nclass Net(Module):\n    def __init__(self, d):\n        self.a = {}\n\n    def forward(self, x):\n        return self.a[0](x)\n"
    made = "[Linear(d, d), Linear(d, 1)]"
    mended("list_of_layers", head + body.format(made),
           head + "from torch.nn import ModuleList\n" + body.format(f"ModuleList({made})"))  # fmt: skip


def test_a_layer_without_a_place_is_only_told(found: Callable[[str, str], list[Any]]) -> None:
    text = net("self.fc = nn.Linear(d, d)\nself.drop = nn.Dropout(0.5)", "return self.fc(x)")
    (finding,) = found("unused_layer", text)
    assert finding.action == "advise"
    assert finding.line == text.split("\n").index("        self.drop = nn.Dropout(0.5)") + 1


SILENT: dict[str, tuple[str, str]] = {
    "in a ModuleList": ("list_of_layers", LISTED.replace("[nn", "nn.ModuleList([nn").replace("(n)]", "(n)])")),
    "registered later": ("list_of_layers", LISTED.replace("range(n)]", "range(n)]\n        self.all = nn.ModuleList(self.blocks)")),
    "registered by name": ("list_of_layers", LISTED.replace("range(n)]", "range(n)]\n        for i, b in enumerate(self.blocks):\n            self.add_module(str(i), b)")),
    "a list for Sequential": ("list_of_layers", net("self.layers = [nn.Linear(d, d), nn.ReLU()]\nself.f = nn.Sequential(*self.layers)", "return self.f(x)")),
    "a teacher hidden on purpose": ("list_of_layers", net("self.teacher = [nn.Linear(d, d)]", "return self.teacher[0](x)")),
    "layers without weights": ("list_of_layers", net("self.acts = [nn.ReLU(), nn.GELU()]", "return self.acts[0](x)")),
    "a list of sizes": ("list_of_layers", net("self.sizes = [int(d), int(n)]", "return x[self.sizes[0]]")),
    "a class that is no model": ("list_of_layers", LISTED.replace("nn.Module)", "object)")),
    "training is passed": ("functional_dropout", DROPS.replace("0.5)", "0.5, training=self.training)")),
    "training is passed by place": ("functional_dropout", DROPS.replace("0.5)", "0.5, self.training)")),
    "under the mode": ("functional_dropout", DROPS.replace("return F.dropout(self.fc(x), 0.5)", "x = self.fc(x)\n        if self.training:\n            x = F.dropout(x, 0.5)\n        return x")),
    "drawing samples on purpose": ("functional_dropout", DROPS.replace("class Net", "class McNet")),
    "a comment says so": ("functional_dropout", DROPS.replace("0.5)", "0.5)  # always on")),
    "the probability knows the mode": ("functional_dropout", ATTENDS.replace("dropout_p=self.p", "dropout_p=self.p if self.training else 0.0")),
    "a local that knows it": ("functional_dropout", ATTENDS.replace("return F", "p = self.p if self.training else 0.0\n        return F").replace("dropout_p=self.p", "dropout_p=p")),
    "the caller decides": ("functional_dropout", ATTENDS.replace("forward(self, x)", "forward(self, x, p)").replace("dropout_p=self.p", "dropout_p=p")),
    "parameters": ("freeze_without_effect", HEAD + "def freeze(model):\n    for p in model.parameters():\n        p.requires_grad = False\n"),
    "named parameters": ("freeze_without_effect", HEAD + "def freeze(model):\n    for name, p in model.named_parameters():\n        p.requires_grad = 'fc' in name\n"),
    "a weight": ("freeze_without_effect", net("self.fc = nn.Linear(d, d)\nself.fc.weight.requires_grad = False", "return self.fc(x)")),
    "a tensor": ("freeze_without_effect", HEAD + "x = torch.zeros(3)\nx.requires_grad = True\n"),
    "parameters of children": ("freeze_without_effect", HEAD + "def freeze(model):\n    for child in model.children():\n        for p in child.parameters():\n            p.requires_grad = False\n"),
    "asked if it is a parameter": ("freeze_without_effect", HEAD + "def freeze(model):\n    for module in model.modules():\n        if isinstance(module, nn.Parameter):\n            module.requires_grad = False\n"),
    "all called": ("unused_layer", TWICE.replace("x * self.norm1", "x * self.norm2")),
    "read elsewhere": ("unused_layer", net("self.fc = nn.Linear(d, d)\nself.head = nn.Linear(d, 2)", "return self.fc(x)") + "\ndef score(net, x):\n    return net.head(net(x))\n"),
    "walks over children": ("unused_layer", net("self.a = nn.Linear(d, d)\nself.b = nn.Linear(d, d)", "for layer in self.children():\n    x = layer(x)\nreturn x")),
    "looked up by a text": ("unused_layer", net("self.a1 = nn.Linear(d, d)", "return getattr(self, f'a{1}')(x)")),
    "kept for checkpoints": ("unused_layer", net("self.fc = nn.Linear(d, d)\nself.old = nn.Linear(d, d)  # unused, for old checkpoints", "return self.fc(x)")),
    "a base out of sight": ("unused_layer", "from lib import Base\n" + TWICE.replace("nn.Module)", "Base)")),
    "used by a base": ("unused_layer", HEAD + "class Base(nn.Module):\n    def forward(self, x):\n        return self.fc(x)\n\nclass Net(Base):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(2, 2)\n"),
    "fed on": ("layer_output_lost", LOST.replace("self.bn(x)", "self.bn(h)")),
    "another branch": ("layer_output_lost", LOST.replace("h = self.bn(x)", "if self.training:\n            h = self.bn(x)")),
    "two names": ("layer_output_lost", LOST.replace("h = self.bn(x)\n        return F.relu(h)", "g = self.bn(x)\n        return F.relu(h + g)")),
    "read in between": ("layer_output_lost", LOST.replace("h = self.bn(x)", "y = h.mean()\n        h = self.bn(x) * y")),
    "both added": ("residual_missing", BLOCK.replace("x = self.mlp", "x = x + self.mlp")),
    "the input kept": ("residual_missing", BLOCK.replace("x = x + self.attn", "shortcut = x\n        x = x + self.attn").replace("return x", "return x + shortcut")),
    "an alias of the input": ("residual_missing", BLOCK.replace("x = self.mlp", "h = x\n        x = self.mlp").replace("return x", "return x + h")),
    "added by the layer": ("residual_missing", BLOCK.replace("self.mlp = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, d))", "self.mlp = Ff(d)") + "\nclass Ff(nn.Module):\n    def forward(self, x):\n        return x + x.relu()\n"),
    "a plain network": ("residual_missing", net("self.fc = nn.Linear(d, d)", "x = self.fc(x)\nx = x + 1\nreturn x")),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, str], list[Any]]) -> None:
    detector, text = SILENT[case]
    compile(text, case, "exec")
    assert found(detector, text) == []


def test_bases_that_make_a_circle(found: Callable[[str, Any], list[Any]]) -> None:
    """Names may be read so; no class can be built so."""
    one = (
        "from two import B\n\n\nclass A(B):\n    def forward(self, x):\n        return self.head(x)\n\n\na = A(dim=1)\n"
    )
    two = "from one import A\n\n\nclass B(A):\n    def __call__(self, x):\n        return x\n\n\nb = B(dim=1)\n"
    assert found("unused_layer", {"one.py": one, "two.py": two}) == []

"""The tree of a model and its counts: right, or not given."""

import pytest

from branchlab.agent.model_tree import Layer, model_trees
from branchlab.agent.read import read_code

HEAD = "import torch\nimport torch.nn as nn\n\n\n"


def trees(*, rest: str = "", head: str = HEAD, **files: str) -> dict[str, Layer]:
    sources = {"model.py": head + rest} | {f"{name}.py": text for name, text in files.items()}
    return {tree.name: tree for tree in model_trees(read_code("c", {k: v.encode() for k, v in sources.items()}))}


def net(body: str, parameters: str = "self", **files: str) -> Layer:
    lines = "".join(f"        {line}\n" for line in ["super().__init__()", *body.split("\n")])
    return trees(rest=f"class Net(nn.Module):\n    def __init__({parameters}):\n{lines}", **files)["Net"]


COUNTED = {
    "self.a = nn.Linear(784, 128)": 100_480,
    "self.a = nn.Linear(784, 128, bias=False)": 100_352,
    "self.a = nn.Bilinear(2, 3, 4)": 28,
    "self.a = nn.Conv2d(1, 16, 3, padding=1)": 160,
    "self.a = nn.Conv1d(4, 8, (5,), groups=2, bias=False)": 80,
    "self.a = nn.ConvTranspose2d(8, 4, kernel_size=2)": 132,
    "self.a = nn.Embedding(1000, 64)": 64_000,
    "self.a = nn.LayerNorm([4, 5])": 40,
    "self.a = nn.LayerNorm(8, bias=False)": 8,
    "self.a = nn.RMSNorm(8)": 8,
    "self.a = nn.BatchNorm2d(16)": 32,
    "self.a = nn.InstanceNorm2d(16)": 0,
    "self.a = nn.GroupNorm(4, 16)": 32,
    "self.a = nn.LSTM(64, 32, num_layers=2, bidirectional=True)": 50_176,
    "self.a = nn.GRU(5, 7)": 294,
    "self.a = nn.MultiheadAttention(64, 4)": 16_640,
    "self.a = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)": 600,
    "self.a = nn.PReLU()": 1,
    "self.a = nn.Parameter(torch.zeros(1, 128, 4) * 0.02)": 512,
    "self.a = nn.Parameter(torch.empty(size=(3, 5)))": 15,
    "self.a = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))": 13,
    "self.a = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])": 60,
    "self.a = nn.ModuleDict(dict(x=nn.Linear(1, 1), y=nn.Linear(1, 2)))": 6,
    "sizes = [2, 3, 4]\nself.a = nn.ModuleList([nn.Linear(n, 1) for n in sizes])": 12,
    "layers = []\nfor i in range(2):\n    layers.append(nn.Linear(4, 4))\nself.a = nn.Sequential(*layers)": 40,
    "width = 2\nlayers = []\nfor i in range(2):\n    layers.append(nn.Linear(width, width * 2))\n    width = width * 2\n"
    "self.a = nn.Sequential(*layers)": 52,
    "self.a = nn.ModuleList()\nfor n in (1, 2):\n    self.a.append(nn.Linear(n, n))": 8,
    "deep = False\nif deep:\n    self.a = nn.Linear(9, 9)\nelse:\n    self.a = nn.Linear(1, 1)": 2,
    "self.a = nn.Embedding(10, 4)\nself.b = nn.Linear(4, 10, bias=False)\nself.b.weight = self.a.weight": 40,
    "self.a = nn.Linear(1, 1)\nself.a = nn.Linear(2, 2)": 6,
    "self.steps = torch.arange(10)\nself.register_buffer('mask', torch.ones(3, 3))": 0,
}


@pytest.mark.parametrize("body", COUNTED)
def test_parameters_are_counted(body: str) -> None:
    assert net(body).parameters == COUNTED[body]


@pytest.mark.train
@pytest.mark.parametrize("body", COUNTED)
def test_torch_counts_the_same(body: str) -> None:
    torch = pytest.importorskip("torch")
    space: dict[str, type] = {}
    lines = "".join(f"        {line}\n" for line in ["super().__init__()", *body.split("\n")])
    exec(f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n{lines}", space)  # noqa: S102
    made = space["Net"]()
    assert isinstance(made, torch.nn.Module)
    assert sum(p.numel() for p in made.parameters()) == COUNTED[body]


UNKNOWN = {
    "a size that is a parameter": ("self.a = nn.Linear(n, 1)", "self, n"),
    "a size of a configuration": ("self.a = nn.Linear(config.width, 1)", "self, config"),
    "a switch that is not read": ("self.a = nn.Linear(1, 1, bias=config.bias)", "self, config"),
    "a condition that is not read": ("if flag:\n    self.a = nn.Linear(1, 1)", "self, flag"),
    "a loop of unknown length": ("self.a = nn.ModuleList([nn.Linear(1, 1) for _ in range(n)])", "self, n"),
    "a function's result": ("self.a = make_layer(3)", "self"),
    "a pretrained model": ("self.a = torch.hub.load('x', 'y')\nself.b = timm.create_model('z')", "self"),
    "a module that is handed in": ("self.encoder = encoder", "self, encoder"),
    "a copy": ("import copy\nself.a = nn.Linear(1, 1)\nself.b = copy.deepcopy(self.a)", "self"),
    "names made up": ("for i in range(3):\n    setattr(self, f'a{i}', nn.Linear(1, 1))", "self"),
    "a while loop": ("while n:\n    self.a = nn.Linear(1, 1)", "self, n"),
    "a number too large": ("self.a = nn.Linear(10 ** 16, 10 ** 16)", "self"),
    "a negative size": ("self.a = nn.Linear(-3, 1)", "self"),
    "a foreign layer": ("self.a = xformers.Attention(3)", "self"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_in_the_text_has_no_count(kind: str) -> None:
    assert net(*UNKNOWN[kind]).parameters is None


def test_what_could_be_counted_is_a_lower_bound() -> None:
    found = net("self.a = nn.Linear(n, 1)\nself.b = nn.Linear(2, 1)", "self, n")
    assert (found.parameters, found.at_least) == (None, 3)


def test_arguments_come_from_where_the_model_is_made() -> None:
    body, parameters = "self.a = nn.Linear(width, 1)", "self, width=4"
    assert net(body, parameters).parameters == 5
    assert net(body, parameters, train="from model import Net\nNet(9)\n").parameters == 10
    assert net(body, parameters, train="from model import Net\nNet(width=9)\n").parameters == 10
    assert net(body, parameters, train="from model import Net\nNet(9)\nNet(8)\n").parameters is None
    assert net(body, parameters, train="from model import Net\nNet(**x)\n").parameters == 5
    assert net(body, parameters, test_model="from model import Net\ndef test_a():\n    Net(9)\n").parameters == 5
    options = "from model import Net\nparser.add_argument('--width', type=int, default=6)\nNet(args.width)\n"
    assert net(body, parameters, train=options).parameters == 7


def test_a_configuration_class_gives_its_defaults() -> None:
    rest = "class Config:\n    width: int = 3\n\n\nclass Net(nn.Module):\n    def __init__(self, config: Config):\n        self.a = nn.Linear(config.width, 1)\n"
    assert trees(rest=rest)["Net"].parameters == 4


PARTS = """class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.a = nn.Linear(dim, dim)


class Base(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.head = nn.Linear(dim, 1)


class Net(Base):
    def __init__(self):
        super().__init__(8)
        self.blocks = nn.ModuleList([Block(8) for _ in range(2)])
        self._more()

    def _more(self):
        self.last = nn.Linear(1, 1)
"""


def test_models_are_made_of_models_bases_and_methods() -> None:
    found = trees(rest=PARTS)
    assert set(found) == {"Net", "Base"}
    assert found["Net"].parameters == 9 + 2 * 72 + 2
    (block,) = found["Net"].parts[1].parts
    assert (block.kind, block.times, block.parameters, block.parts[0].shape) == ("Block", 2, 72, "8 → 8")


def test_a_class_of_the_repository_with_a_name_of_torch_is_not_torchs() -> None:
    other = {
        "layers": HEAD
        + "class Linear(nn.Module):\n    def __init__(self, a, b):\n        self.w = nn.Parameter(torch.ones(a))\n"
    }
    assert net("self.a = nn.Linear(3, 4)", **other).parameters == 16
    rest = "class Net(nn.Module):\n    def __init__(self):\n        self.a = Linear(3, 4)\n"
    assert trees(head="from layers import Linear\n" + HEAD, rest=rest, **other)["Net"].parameters == 3


def test_models_that_hold_each_other_end() -> None:
    rest = "".join(
        f"class {a}(nn.Module):\n    def __init__(self):\n        self.x = {b}()\n\n\n" for a, b in ("AB", "BA")
    )
    assert all(tree.parameters is None for tree in trees(rest=rest).values())
    assert trees(rest=rest)


def test_a_constructor_of_any_length_ends() -> None:
    body = "\n".join(f"self.a{n} = nn.Linear(1, 1)" for n in range(1_200))
    assert net(body).parameters is None


def test_functions_and_constants_make_models() -> None:
    rest = "def build_model():\n    return nn.Sequential(nn.Linear(1, 2))\n\n\nmodel = nn.Sequential(nn.Linear(1, 3))\n"
    found = trees(rest=rest)
    assert (found["build_model"].parameters, found["model"].parameters) == (4, 6)

"""The search space: what is in it, with which range, and above all what is not."""

import pytest

from branchlab.agent.literals import sites_in
from branchlab.agent.read import read_code
from branchlab.agent.tunables import find_tunables, literals_in, unknown_overrides
from branchlab.targets.errors import TargetError
from branchlab.targets.target import Metric, Steps, Target, TunableOverride
from branchlab.targets.tunable import Tunable


def target(*train: str, editable: tuple[str, ...] = ("**",), **more: object) -> Target:
    command = train or ("python", "train.py", "--out", "{out}")
    return Target(
        name="t",
        steps=Steps(train=command),
        metric=Metric(name="loss", direction="minimize"),
        editable=editable,
        **more,  # type: ignore[arg-type]
    )


def space(files: dict[str, str] | str, *train: str, **more: object) -> dict[str, Tunable]:
    sources = files if isinstance(files, dict) else {"train.py": files}
    code = read_code("c", {file: text.encode() for file, text in sources.items()})
    return {one.name.removeprefix("train.py::"): one for one in find_tunables(code, target(*train, **more))}  # type: ignore[arg-type]


SEEDS = """
import argparse, random, numpy as np, torch
from dataclasses import dataclass
from sklearn.ensemble import RandomForestClassifier
from torch.utils.data import DataLoader

SEED = 1337
RANDOM_STATE = 7
manual_seed = 3
MODEL_SEED = 4.0
torch.manual_seed(42)
np.random.seed(0)
rng = np.random.default_rng(5)
config = {"seed": 3, "train": {"data_seed": 4}}
C.system.seed = 3407


@dataclass
class Config:
    seed: int = 1
    init_seed: float = 0.5


def train(lr=0.1, seed=0, random_state=11):
    RandomForestClassifier(n_estimators=100, random_state=3)


parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--init-seed", type=int, default=2)
parser.add_argument("--magic", dest="seed", type=int, default=2)
"""


def test_no_seed_is_ever_tuned() -> None:
    assert set(space(SEEDS)) == {"train.lr", "train.RandomForestClassifier.n_estimators"}


MEASUREMENT = """
EVAL_ITERS = 200
EVAL_BATCH_SIZE = 64
TEST_SIZE = 0.2
VAL_FRACTION = 0.1
THRESHOLD = 0.5
TOP_K = 20
LOG_INTERVAL = 10
PORT = 8080
DATA_DIR = "data"
NUM_WORKERS = 4
DEVICE = "cpu"
TIMEOUT = 30.0
SAVE_EVERY = 5
EPS = 1e-8
N_SPLITS = 5
VERBOSE = True
CHECKPOINT_LR = 0.1


def evaluate(model, batch_size=50, dropout=0.5):
    temperature = 0.7


def train(eval_batch_size=10, val_split=0.1, num_samples=100, resume=False):
    pass


def accuracy_metric(weight=0.5):
    pass
"""


def test_nothing_of_the_measurement_is_tuned() -> None:
    assert space(MEASUREMENT) == {}


def test_module_constants_and_script_variables() -> None:
    found = space(
        "LEARNING_RATE = 3e-4\nNOISE = 0.1\nNUMBER = 7\nlearning_rate = 0.01\nbatch_size = 32\nindex = 5\nmax_iters = 3000\n"
    )
    assert set(found) == {"LEARNING_RATE", "NOISE", "learning_rate", "batch_size", "max_iters"}


def test_argparse_click_typer_and_absl_options() -> None:
    found = space(
        "import argparse, click, typer\nfrom absl import flags\n"
        'p = argparse.ArgumentParser()\np.add_argument("-l", "--lr", type=float, default=1e-3)\n'
        'p.add_argument("--norm", choices=["batch", "layer"], default="batch")\n'
        'p.add_argument("--fast", action="store_true", default=False)\np.add_argument("--n", type=int)\n'
        'flags.DEFINE_float("momentum", 0.9, "help")\n\n\n'
        '@click.option("--dropout", default=0.1)\n@click.option("--opt", type=click.Choice(["sgd", "adam"]), default="adam")\n'
        "def go(dropout, opt):\n    pass\n\n\napp = typer.Typer()\n\n\n@app.command()\n"
        'def learn(width: int = typer.Option(64, "--width"), depth: int = 2):\n    pass\n'
    )
    assert set(found) == {
        "argparse.--lr", "argparse.--norm", "flags.--momentum", "click.--dropout", "click.--opt", "learn.width",
        "learn.depth",
    }  # fmt: skip
    assert found["argparse.--norm"].choices == ("batch", "layer")
    assert found["click.--opt"].choices == ("adam", "sgd")


def test_fields_of_dataclasses_pydantic_and_attrs() -> None:
    found = space(
        "from dataclasses import dataclass, field\nfrom typing import Literal\nimport attrs, attr\nfrom pydantic import BaseModel, Field\n\n\n"
        "@dataclass(frozen=True)\nclass A:\n    lr: float = 0.1\n    odd: float = field(default=0.3)\n    kind: Literal['x', 'y'] = 'x'\n    name: str = 'x'\n\n\n"
        "class B(BaseModel):\n    dropout: float = Field(0.2, ge=0.1, le=0.5)\n\n\n"
        "@attrs.define\nclass C:\n    hidden: int = 64\n\n\n@attr.s\nclass D:\n    layers: int = attr.ib(default=3)\n\n\n"
        "class Plain:\n    count: int = 9\n"
    )
    assert set(found) == {"A.lr", "A.odd", "A.kind", "B.dropout", "C.hidden", "D.layers"}
    assert (found["B.dropout"].low, found["B.dropout"].high) == (0.1, 0.5)
    assert found["A.kind"].choices == ("x", "y")


def test_call_sites_by_keyword_and_by_position() -> None:
    found = space(
        "import torch.nn as nn\nimport torch.optim as optim\nfrom torch.utils.data import DataLoader\n\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        self.a = nn.Dropout(0.5)\n        self.b = nn.Dropout(p=0.1)\n"
        "        self.c = nn.LSTM(8, 16, num_layers=2)\n        self.d = nn.Linear(28, 64)\n        self.e = nn.BatchNorm1d(3, eps=1e-5)\n\n\n"
        "opt = optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-4)\nsched = optim.lr_scheduler.StepLR(opt, 30, gamma=0.1)\n"
        "adam = optim.AdamW(p, betas=(0.9, 0.999), eps=1e-8)\nnn.utils.clip_grad_norm_(p, 1.0)\n"
        "DataLoader(train_set, batch_size=32, shuffle=True)\nDataLoader(test_set, batch_size=512)\nDataLoader(val, 512, shuffle=True)\n"
    )
    assert set(found) == {
        "Net.__init__.Dropout.p", "Net.__init__.Dropout.p#2", "Net.__init__.LSTM.num_layers", "SGD.lr", "SGD.momentum",
        "SGD.weight_decay", "StepLR.step_size", "StepLR.gamma", "AdamW.betas[0]", "AdamW.betas[1]",
        "clip_grad_norm_.max_norm", "DataLoader.batch_size",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "low", "high", "log"),
    [
        ("LEARNING_RATE = 3e-4", 3e-5, 3e-3, True),
        ("LR = 1", 0.1, 10.0, True),
        ("LR = 0.5", 0.05, 5.0, True),
        ("WEIGHT_DECAY = 0.0", 0.0, 0.1, False),
        ("DROPOUT = 0.9", 0.0, 0.9, False),
        ("LABEL_SMOOTHING = 0.1", 0.0, 1.0, False),
        ("MOMENTUM = 0.9", 0.0, 0.99, False),
        ("BETA2 = 0.999", 0.99, 0.9999, False),
        ("LR_GAMMA = 0.1", 0.01, 1.0, True),
        ("EPOCHS = 10", 3, 10, False),
        ("N_STEPS = 1000", 250, 1000, False),
        ("BATCH_SIZE = 64", 16, 256, True),
        ("HIDDEN_SIZE = 100", 25, 400, True),
        ("N_LAYERS = 4", 1, 8, False),
    ],
)
def test_ranges(source: str, low: float, high: float, log: bool) -> None:
    (one,) = space(source + "\n").values()
    assert (one.low, one.high, one.log) == (low, high, log)
    assert one.low is not None
    assert one.high is not None
    assert type(one.low) is type(one.high) is type(one.default)
    assert one.low <= one.default <= one.high
    assert one.rule


@pytest.mark.parametrize(
    "source",
    [
        "LR = -0.1",
        "EPOCHS = 1",
        "DROPOUT = 1.5",
        "LR = 0.0",
        "MOMENTUM = 1.0",
        "BATCH_SIZE = 0.5",
        "LR = float('inf')",
        "LR = 1e999",
        "LR = 10 ** -3",
        "LR = 'fast'",
    ],
)
def test_values_that_no_rule_fits_are_left_alone(source: str) -> None:
    assert space(source + "\n") == {}


def test_sizes_that_must_stay_divisible_move_in_powers_of_two() -> None:
    found = space("N_EMBD = 48\nN_HEAD = 6\n")
    assert found["N_EMBD"].choices == (12, 24, 48, 96, 192)
    assert found["N_HEAD"].choices == (3, 6, 12)


def test_a_string_is_tuned_only_when_the_code_shows_a_closed_set() -> None:
    shown = "OPTIMIZER = 'adam'\n\n\ndef make(optimizer):\n    if OPTIMIZER == 'adam':\n        return 1\n    elif OPTIMIZER in ('sgd', 'lion'):\n        return 2\n"
    assert space(shown)["OPTIMIZER"].choices == ("adam", "sgd", "lion")
    assert space("OPTIMIZER = 'adam'\n") == {}


def test_what_the_command_line_gives_is_not_tuned() -> None:
    source = (
        'import argparse\np = argparse.ArgumentParser()\np.add_argument("-l", "--learning-rate", type=float, default=1e-3)\n'
        'p.add_argument("--width", type=int, default=64)\nMOMENTUM = 0.9\nC.model.dropout = 0.1\n'
    )
    run = ("python", "train.py", "{out}")
    everything = {"argparse.--learning-rate", "argparse.--width", "MOMENTUM", "C.model.dropout"}
    assert set(space(source, *run)) == everything
    assert set(space(source, *run, "--learning-rate", "0.1")) == everything - {"argparse.--learning-rate"}
    assert set(space(source, *run, "--learning-rate=0.1")) == everything - {"argparse.--learning-rate"}
    assert set(space(source, *run, "--learn", "0.1")) == everything - {"argparse.--learning-rate"}
    assert set(space(source, *run, "-l", "0.1")) == everything - {"argparse.--learning-rate"}
    assert set(space(source, *run, "--model.dropout=0.5")) == everything - {"C.model.dropout"}


def test_a_default_that_every_call_passes_is_dead() -> None:
    net = "class Net:\n    def __init__(self, width=64, dropout=0.1, layers=2):\n        pass\n\n\n"
    assert set(space(net + "Net(32, dropout=0.2)\n")) == {"Net.__init__.layers", "Net.dropout"}
    assert set(space(net + "config = {'width': w, 'layers': n}\nNet(**config)\n")) == {"Net.__init__.dropout"}
    assert set(space(net + "Net(**anything())\n")) == {
        "Net.__init__.width",
        "Net.__init__.dropout",
        "Net.__init__.layers",
    }
    assert set(space(net + "Net(32)\nNet()\n")) == {"Net.__init__.width", "Net.__init__.dropout", "Net.__init__.layers"}


def test_only_editable_code_that_training_reaches_is_tuned() -> None:
    files = {
        "train.py": "import model\nLR = 0.1\n",
        "model.py": "import judge\nDROPOUT = 0.1\n",
        "judge.py": "LR = 0.1\n",
        "unused.py": "LR = 0.1\n",
        "conftest.py": "LR = 0.1\n",
    }
    assert set(space(files, editable=("*.py", "!judge.py"), protected=("judge.py",))) == {"LR", "model.py::DROPOUT"}


def test_training_by_module_name() -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/train.py": "from .net import f\nLR = 0.1\n",
        "pkg/net.py": "DROPOUT = 0.1\n",
        "other.py": "LR = 0.1\n",
    }
    assert set(space(files, "python", "-m", "pkg.train", "{out}")) == {"pkg/train.py::LR", "pkg/net.py::DROPOUT"}


def test_configuration_values() -> None:
    files = {
        "train.py": "open('conf.yaml'), open('c.toml'), open('c.json')\n",
        "conf.yaml": "optim:\n  lr: 1e-3  # a string to YAML 1.1\n  betas: [0.9, 0.99]\nseed: 1\neval:\n  batch_size: 32\nname: x\ndepth: 3\n",
        "c.toml": "[model]\ndropout = 0.1\nvocab_size = 100\n",
        "c.json": '{"train": {"epochs": 20, "port": 80}}',
        "unmentioned.yaml": "lr: 0.1\n",
    }
    found = space(files)
    assert set(found) == {
        "conf.yaml::optim.lr", "conf.yaml::optim.betas[0]", "conf.yaml::optim.betas[1]", "conf.yaml::depth",
        "c.toml::model.dropout", "c.json::train.epochs",
    }  # fmt: skip
    assert found["conf.yaml::optim.lr"].default == 0.001
    assert found["conf.yaml::depth"].line == 8


def test_names_do_not_depend_on_lines() -> None:
    source = "LR = 0.1\n\n\nclass Net:\n    def __init__(self, hidden=64):\n        pass\n"
    before, after = space(source), space("# a comment\nimport os\n\n" + source)
    assert set(before) == set(after)
    assert after["LR"].line == before["LR"].line + 3


def override(text: str, **overrides: TunableOverride) -> dict[str, Tunable]:
    return space(text, tunables={f"train.py::{name}": value for name, value in overrides.items()})


def test_overrides() -> None:
    assert override("LR = 0.1\n", LR=TunableOverride(enabled=False)) == {}
    one = override("LR = 0.1\n", LR=TunableOverride(low=0.05, high=0.2, log=False))["LR"]
    assert (one.low, one.high, one.log, one.rule) == (0.05, 0.2, False, "given in target.toml")
    assert override("LR = 0.1\n", LR=TunableOverride(choices=(0.1, 0.2)))["LR"].choices == (0.1, 0.2)
    # What the rules would not dare: a length set by the data, a name nobody knows.
    assert override("BLOCK_SIZE = 64\n", BLOCK_SIZE=TunableOverride(low=32, high=128))["BLOCK_SIZE"].high == 128
    assert override("STUFF = 3\n", STUFF=TunableOverride(low=1, high=9))["STUFF"].type == "int"


@pytest.mark.parametrize(
    ("text", "name", "asked"),
    [
        ("SEED = 1\n", "SEED", TunableOverride(low=0, high=9)),
        ("EVAL_ITERS = 100\n", "EVAL_ITERS", TunableOverride(low=1, high=100)),
        ("LR = 0.1\n", "LR", TunableOverride(low=0.2, high=0.3)),
        ("LR = 0.1\n", "LR", TunableOverride(choices=("a", "b"))),
        ("EPOCHS = 10\n", "EPOCHS", TunableOverride(choices=(10, 20.5))),
    ],
)
def test_overrides_that_cannot_be(text: str, name: str, asked: TunableOverride) -> None:
    with pytest.raises(TargetError, match=name):
        override(text, **{name: asked})


def test_an_override_that_names_nothing_is_told() -> None:
    code = read_code("c", {"train.py": b"LR = 0.1\n"})
    wrong = target(
        tunables={"train.py::LRR": TunableOverride(low=0, high=1), "train.py::LR": TunableOverride(enabled=False)}
    )
    assert unknown_overrides(code, wrong) == ("train.py::LRR",)


def test_literals_in_gives_the_node_that_stands_there() -> None:
    module = read_code("c", {"a.py": b"LR = (1e-3)\nSEED = 3\n"}).module("a.py")
    ((one, node),) = literals_in(module, "a.py")
    assert (one.name, one.line) == ("a.py::LR", 1)
    assert any(site.node is node for site in sites_in(module))

"""The search space where one file does not say enough: calls, tables and configurations of the whole repository."""

from branchlab.agent.configs.composed import compose
from branchlab.agent.read import read_code
from branchlab.agent.tunables import find_tunables
from branchlab.targets.target import Metric, Steps, Target
from branchlab.targets.tunable import Tunable


def space(files: dict[str, str], *words: str) -> dict[str, Tunable]:
    code = read_code("c", {file: text.encode() for file, text in files.items()})
    steps = Steps(train=words or ("python", "train.py", "{out}"))
    target = Target(name="t", steps=steps, metric=Metric(name="loss", direction="minimize"), editable=("**",))
    return {one.name.removeprefix("train.py::"): one for one in find_tunables(code, target)}


HYDRA = {
    "train.py": (
        "import hydra\n\n\n@hydra.main(version_base=None, config_path='conf', config_name='config.yaml')\n"
        "def main(cfg):\n    hydra.utils.instantiate(cfg.model)\n\n\nmain()\n"
    ),
    "nets.py": (
        "import torch.nn as nn\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self, first=16, dropout=0.1, slope=0.2):\n        self.d = nn.Dropout(0.3)\n"
    ),
    "conf/config.yaml": "defaults:\n  - model: net\n  - optim: adam\n  - optional local: none\n  - _self_\nseed: 3\nmodel:\n  dropout: 0.4\n",
    "conf/model/net.yaml": "_target_: nets.Net\nfirst: 64\ndropout: 0.5\n",
    "conf/model/big.yaml": "defaults:\n  - net\nfirst: 128\n",
    "conf/optim/adam.yaml": "_target_: torch.optim.lr_scheduler.ReduceLROnPlateau\nfactor: 0.1\nmax_depth: 3\nlr: 0.01\n",
    "conf/optim/sgd.yaml": "lr: 0.5\n",
    "conf/experiment/a.yaml": "# @package _global_\ndefaults:\n  - override /optim: sgd\noptim:\n  momentum: 0.9\n",
    "conf/logger/ours.yaml": "_target_: tools.Logger\nwidth: 80\n",
}


def test_only_what_hydra_composes_is_tuned_and_only_what_has_the_last_word() -> None:
    found = space(HYDRA)
    assert set(found) == {
        "conf/config.yaml::model.dropout", "conf/model/net.yaml::first", "conf/optim/adam.yaml::factor",
        "conf/optim/adam.yaml::lr", "conf/optim/adam.yaml::max_depth", "nets.py::Net.__init__.slope",
        "nets.py::Net.__init__.Dropout.p",
    }  # fmt: skip
    assert found["conf/optim/adam.yaml::factor"].rule.startswith("decay factor")


def test_the_command_line_chooses_other_files() -> None:
    big = set(space(HYDRA, "python", "train.py", "model=big"))
    assert {"conf/model/big.yaml::first", "conf/config.yaml::model.dropout"} <= big
    assert not {"conf/model/net.yaml::first", "conf/model/net.yaml::dropout"} & big
    chosen = set(space(HYDRA, "python", "train.py", "+experiment=a"))
    assert {"conf/optim/sgd.yaml::lr", "conf/experiment/a.yaml::optim.momentum"} <= chosen
    assert not any("adam" in name for name in chosen)


def test_configurations_that_include_each_other_end() -> None:
    ring = {
        "c/a.yaml": b"defaults:\n  - b\nx: 1\n",
        "c/b.yaml": b"defaults:\n  - a\nx: 2\n",
        "c/bad.yaml": b"defaults: [\n",
    }
    assert compose("c", "a", ring, ()).values[("x",)] == ("c/a.yaml", "x")
    assert compose("c", "bad", ring, ()).values == {}
    assert compose("c", "missing", ring, ()).files == []


def test_a_closed_set_may_be_shown_in_another_file() -> None:
    found = space(
        {
            "train.py": "import net\nC.model.kind = 'wide'\nC.model.act = 'tanh'\nC.model.path = 'a'\n",
            "net.py": "ACTS = {'relu': 1, 'tanh': 2}\n\n\ndef make(c):\n    size = {'wide': 4, 'deep': 2}[c.kind]\n"
            "    return ACTS[c.act], size, {'a': 1, 'b': 2}[c.path]\n",
        }
    )
    assert found["C.model.kind"].choices == ("wide", "deep")
    assert set(found["C.model.act"].choices or ()) == {"relu", "tanh"}
    assert "C.model.path" not in found


def test_keywords_of_the_repositorys_own_calls() -> None:
    files = {
        "train.py": (
            "from parts import Block, scale_init, evaluate_all, helper\nimport numpy as np\n\n\n"
            "def build():\n    return Block(width=32, twist=3, out_channels=10, use_norm=True, seed=4)\n\n\n"
            "scale_init(std=0.02, whatever=7)\nevaluate_all(batch_size=50)\nnp.pad(width=3)\nhelper(steps=20, other=True)\n"
        ),
        "parts.py": (
            "import torch.nn as nn\n\n\nclass Block(nn.Module):\n    pass\n\n\ndef scale_init(std, whatever):\n    pass\n\n\n"
            "def evaluate_all(batch_size):\n    pass\n\n\ndef helper(steps, other):\n    pass\n"
        ),
    }
    assert set(space(files)) == {
        "build.Block.width", "build.Block.twist", "build.Block.use_norm", "scale_init.std", "helper.steps",
    }  # fmt: skip


def test_parameters_of_whatever_gives_a_model_are_settings() -> None:
    files = {
        "train.py": "from zoo import create\ncreate()\n",
        "zoo.py": "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    pass\n\n\nTABLE = {'a': Net}\n\n\n"
        "def look(name, twist=4):\n    return TABLE[name]()\n\n\ndef create(times=5):\n    return look('a')\n\n\n"
        "def unrelated(times=5):\n    return 3\n",
    }
    assert set(space(files)) == {"zoo.py::look.twist", "zoo.py::create.times"}


def test_only_calls_that_the_run_makes_keep_a_default_alive() -> None:
    net = "class Net:\n    def __init__(self, width=64, dropout=0.1):\n        pass\n\n\nif __name__ == '__main__':\n    Net()\n"
    files = {
        "train.py": "from net import Net\nargs = dict(width=3)\nargs['dropout'] = 0.5\nNet(**args)\n",
        "net.py": net,
        "sample.py": "from net import Net\nNet()\n",
    }
    assert {name for name in space(files) if name.startswith("net.py")} == set()


def test_switches_of_a_script_but_not_its_flags() -> None:
    files = {
        "train.py": "bias = False\ndecay_lr = True\nfound_best = False\nrunning = True\nrunning = False\nis_main = True\n"
        "compile = True\nif 1:\n    nested = True\n"
    }
    assert set(space(files)) == {"bias", "decay_lr"}


def test_learning_settings_that_sound_like_measurement() -> None:
    fields = (
        "train_frequency: int = 10\n    target_network_frequency: int = 500\n    log_frequency: int = 10\n"
        "    entropy_coef: float = 0.0\n    entropy: int = 3\n    start_e: float = 1\n    epsilon: float = 1e-5\n"
        "    lr_decay_iters: int = 6000\n    track: bool = False\n    total_timesteps: int = 1000\n    tau: float = 1.0\n"
        "    device_batch_size: int = 8\n    device: int = 0\n    out: bool = True\n    init_from_pretrained: bool = True\n"
    )
    found = space({"train.py": f"from dataclasses import dataclass\n\n\n@dataclass\nclass Args:\n    {fields}"})
    assert {name.removeprefix("Args.") for name in found} == {
        "train_frequency", "target_network_frequency", "entropy_coef", "start_e", "lr_decay_iters", "total_timesteps", "tau",
        "device_batch_size",
    }  # fmt: skip
    assert found["Args.total_timesteps"].high == 1000
    assert (found["Args.start_e"].low, found["Args.start_e"].high) == (0.0, 1.0)
    assert (found["Args.entropy_coef"].low, found["Args.entropy_coef"].high) == (0.0, 0.1)


def test_trainers_and_layers_of_libraries() -> None:
    files = {
        "train.py": (
            "from transformers import TrainingArguments\nfrom keras import layers\nimport keras\n"
            "TrainingArguments('o', learning_rate=2e-5, eval_steps=10, seed=4, warmup_ratio=0.1, num_train_epochs=3, fp16=True)\n"
            "layers.Dense(128)\nlayers.Conv2D(32, 3)\nlayers.Dropout(0.5)\nkeras.optimizers.Adam(1e-3)\n"
            "model.fit(x, y, epochs=12, batch_size=128, validation_split=0.1)\n"
        )
    }
    assert set(space(files)) == {
        "TrainingArguments.learning_rate", "TrainingArguments.warmup_ratio", "TrainingArguments.num_train_epochs",
        "Dense.units", "Conv2D.filters", "Dropout.p", "Adam.learning_rate", "fit.epochs", "fit.batch_size",
    }  # fmt: skip


def test_groups_of_an_optimizers_parameters() -> None:
    source = (
        "groups = make([{'params': a, 'weight_decay': 0.05}, {'params': b, 'weight_decay': 0.0}, {'weight_decay': 3.0}])\n"
        "more = [dict(params=c, lr=0.2 * base, betas=(0.9, 0.95), eps=1e-8)]\n"
    )
    assert set(space({"train.py": source})) == {"group.weight_decay", "group.betas[0]", "group.betas[1]"}


ZOO = {
    "zoo/__init__.py": "from .small import *\nfrom .large import *\n",
    "zoo/small.py": (
        "import torch.nn as nn\n\n\nclass Part(nn.Module):\n    def __init__(self, dropout=0.1):\n        pass\n\n\n"
        "class Small(nn.Module):\n    def __init__(self, dropout=0.2):\n        self.part = Part()\n\n\n"
        "def test():\n    Large()\n"
    ),
    "zoo/large.py": "import torch.nn as nn\n\n\nclass Large(nn.Module):\n    def __init__(self, dropout=0.3):\n        pass\n",
}
PARTS = {
    "zoo/small.py::Part.__init__.dropout", "zoo/small.py::Small.__init__.dropout", "zoo/large.py::Large.__init__.dropout",
}  # fmt: skip


def test_the_models_of_a_zoo_that_nobody_makes_are_left_out() -> None:
    used = space(ZOO | {"train.py": "from zoo import *\n\n\ndef test():\n    pass\n\n\ntest()\nnet = Small()\n"})
    assert set(used) == {"zoo/small.py::Part.__init__.dropout", "zoo/small.py::Small.__init__.dropout"}


def test_what_is_looked_up_as_the_code_runs_may_be_any_of_them() -> None:
    assert set(space(ZOO | {"train.py": "import zoo\nnet = getattr(zoo, name)()\n"})) == PARTS
    assert set(space(ZOO | {"train.py": "import zoo\nnet = zoo.__dict__[name]()\n"})) == PARTS
    assert set(space(ZOO | {"train.py": "import zoo\nnet = eval(name)()\n"})) == PARTS
    assert set(space(ZOO | {"train.py": "import zoo\nnet.eval()\n"})) == set()
    by_text = ZOO | {"train.py": "from zoo import *\nchosen = {'Large': 1}\n"}
    assert set(space(by_text)) == {"zoo/large.py::Large.__init__.dropout"}


def test_a_decorator_may_put_a_class_anywhere() -> None:
    files = {
        "train.py": "import parts\n",
        "parts.py": "@register\nclass Net:\n    def __init__(self, dropout=0.1):\n        pass\n\n\n"
        "class Other:\n    def __init__(self, dropout=0.1):\n        pass\n",
    }
    assert set(space(files)) == {"parts.py::Net.__init__.dropout"}

"""Roles that come through calls, tables, trainers and configurations: small projects as people write them."""

import pytest

from branchlab.agent.code_map import CodeMap, Role
from branchlab.agent.read import read_code

REGISTRY = {
    "models/__init__.py": "from .nets import *\nfrom .nets import Small\n",
    "models/nets.py": (
        "import torch.nn as nn\n\n\nclass Small(nn.Module):\n    pass\n\n\nclass Big(nn.Module):\n    pass\n\n\n"
        "class Focal(nn.Module):\n    pass\n"
    ),
    "registry.py": (
        "from functools import partial\nfrom models import Small\nimport models\n\n"
        "ARCHITECTURES = {'small': Small, 'big': lambda width: models.Big(width), 'wide': partial(Small, width=9)}\n"
        "OPTIMS = {}\n\n\n"
        "def create(name, **kwargs):\n    return ARCHITECTURES[name](**kwargs)\n\n\n"
        "def by_name(args):\n    arch = getattr(models, args.arch)()\n    return arch\n\n\n"
        "def chosen(name):\n    return ARCHITECTURES.get(name)\n"
    ),
    "setup.py": (
        "import torch\nfrom torch import nn\nimport registry\n\n\n"
        "def prepare(cfg):\n    net = registry.create(cfg.name)\n    net = nn.DataParallel(net)\n    return net.to('cpu'), None\n\n\n"
        "class Builder:\n    def everything(self, cfg):\n        return prepare(cfg)\n\n"
        "    def size(self):\n        return prepare(None)[0].width\n"
    ),
    "train.py": (
        "import argparse\nfrom setup import Builder, prepare\nfrom torch.optim import SGD\n\n\n"
        "def one_epoch(model, criterion, loader, opt):\n    for x, y in loader:\n        loss = criterion(model(x), y)\n"
        "        loss.backward()\n        opt.step()\n    return loss\n\n\n"
        "def get_opt(model, lr):\n    return SGD(model.parameters(), lr)\n\n\n"
        "def run(args):\n    thing, _ = prepare(args)\n    for _ in range(3):\n        one_epoch(thing, None, [], get_opt(thing, 0.1))\n\n\n"
        "if __name__ == '__main__':\n    run(argparse.ArgumentParser().parse_args())\n"
    ),
}
DECORATED = {
    "zoo.py": (
        "import torch.nn as nn\n_KNOWN = {}\n\n\ndef register(name):\n    def add(cls):\n        _KNOWN[name] = cls\n        return cls\n\n"
        "    return add\n\n\ndef build(name, *args):\n    return _KNOWN[name](*args)\n"
    ),
    "nets.py": "import torch.nn as nn\nfrom zoo import register\n\n\n@register('a')\nclass Net(nn.Module):\n    pass\n",
    "mmlike.py": (
        "from mmengine import Registry\nimport torch.nn as nn\nHEADS = Registry('heads')\n\n\n@HEADS.register_module()\n"
        "class Head(nn.Module):\n    pass\n\n\ndef head_of(cfg):\n    return HEADS.build(cfg)\n"
    ),
}
LIGHTNING = {
    "lit.py": (
        "import lightning as L\nimport torch\nfrom torch import nn\n\n\nclass Base(L.LightningModule):\n"
        "    def _shared(self, batch):\n        return nn.functional.cross_entropy(self(batch[0]), batch[1])\n\n\n"
        "class Classifier(Base):\n    def training_step(self, batch, i):\n        return self._shared(batch)\n\n"
        "    def validation_step(self, batch, i):\n        self.log('val', self._shared(batch))\n\n"
        "    def configure_optimizers(self):\n        return torch.optim.AdamW(self.parameters())\n\n"
        "    def train_dataloader(self):\n        return torch.utils.data.DataLoader([])\n"
    ),
    "dm.py": "import lightning as L\n\n\nclass Digits(L.LightningDataModule):\n    def setup(self, stage):\n        pass\n",
    "main.py": (
        "import lightning as L\nfrom lit import Classifier\nfrom dm import Digits\n\n\ndef main():\n"
        "    trainer = L.Trainer(max_epochs=3)\n    trainer.fit(Classifier(), datamodule=Digits())\n"
    ),
}
HUGGING = {
    "metrics_of_task.py": "def numbers(pred):\n    return {'f': 1}\n",
    "batching.py": "def pad(features):\n    return features\n",
    "modelling.py": (
        "from transformers import AutoModelForSequenceClassification, PreTrainedModel\n\n\n"
        "def fresh():\n    return AutoModelForSequenceClassification.from_pretrained('x')\n\n\nclass Own(PreTrainedModel):\n    pass\n"
    ),
    "weighted.py": (
        "from transformers import Trainer\n\n\nclass Weighted(Trainer):\n"
        "    def compute_loss(self, model, inputs):\n        return model(**inputs).loss\n"
    ),
    "run.py": (
        "from transformers import TrainingArguments\nfrom weighted import Weighted as WeightedTrainer\n"
        "from metrics_of_task import numbers\nfrom batching import pad\nimport modelling\n\n\ndef main():\n"
        "    trainer = WeightedTrainer(model_init=modelling.fresh, compute_metrics=numbers, args=TrainingArguments('o'))\n"
        "    trainer.train()\n\n\ndef plain():\n    from transformers import Trainer\n"
        "    Trainer(data_collator=pad).train()\n"
    ),
}
HYDRA = {
    "conf/config.yaml": "defaults:\n  - net: mlp\nloss:\n  _target_: parts.penalty\n",
    "conf/net/mlp.yaml": "_target_: parts.Perceptron\nhidden: 32\n",
    "conf/datamodule/csv.yaml": "_target_: parts.Table\npath: x\n",
    "parts.py": "class Perceptron:\n    pass\n\n\ndef penalty(a, b):\n    return a - b\n\n\nclass Table:\n    pass\n",
    "main.py": "import hydra\n\n\n@hydra.main(config_path='conf', config_name='config')\ndef main(cfg):\n    pass\n",
}
ASSISTANT = {
    "store.py": (
        "import faiss\n\n\nclass Notes:\n    def add(self, text):\n        pass\n\n    def search(self, query, k=3):\n        return []\n\n\n"
        "class Replay:\n    def add(self, x):\n        pass\n\n    def sample(self):\n        pass\n\n\n"
        "def index_of(vectors):\n    return faiss.IndexFlatIP(3)\n\n\ndef gpu_memory_usage():\n    return 1\n\n\n"
        "def binary_search(a, b):\n    return 0\n"
    ),
    "llm.py": (
        "from openai import OpenAI\nimport litellm\n\n\nclass Client:\n    def __init__(self):\n        self.api = OpenAI()\n\n"
        "    def complete(self, messages):\n        r = self.api.chat.completions.create(model='m', messages=messages)\n"
        "        return r.choices[0].message.content\n\n\n"
        "def cheap(messages):\n    return litellm.completion(model='m', messages=messages)\n"
    ),
    "agent.py": (
        "from llm import Client, cheap\nfrom store import Notes\nfrom sklearn.metrics import f1_score\n\n\n"
        "def build_prompt(question, notes):\n    return question + str(notes)\n\n\n"
        "def recall_notes(notes, question):\n    return notes.similarity_search(question)\n\n\n"
        "def answer(question):\n    notes = Notes()\n    client = Client()\n"
        "    text = client.complete(build_prompt(question, notes.search(question)))\n    return text.strip()\n\n\n"
        "def ask(question):\n    reply = cheap([question])\n    return reply['choices'][0]\n\n\n"
        "def quality(gold, predicted):\n    return f1_score(gold, predicted)\n"
    ),
}
PROJECTS = {
    "registry": REGISTRY, "decorated": DECORATED, "lightning": LIGHTNING, "hugging": HUGGING, "hydra": HYDRA,
    "assistant": ASSISTANT,
}  # fmt: skip


def read(files: dict[str, str], **more: int) -> CodeMap:
    return read_code("c", {name: text.encode() for name, text in files.items()}, **more)  # type: ignore[arg-type]


def players(code: CodeMap, role: Role) -> dict[str, str]:
    """Name to the way its role came; empty for one of its own."""
    return {symbol.name: dict(symbol.via).get(role, "") for symbol in code.with_role(role)}


def test_a_model_comes_through_factories_tables_wrappers_and_modules() -> None:
    found = players(read(REGISTRY), "model")
    assert found["create"] == "ARCHITECTURES -> Small"
    assert found["chosen"] == "ARCHITECTURES -> Small"
    assert found["by_name"] == "models -> Small"
    assert found["prepare"] == "create -> ARCHITECTURES -> Small"
    assert found["Builder.everything"] == "prepare -> create -> ARCHITECTURES -> Small"
    assert not {"Builder.size", "one_epoch", "run", "get_opt"} & set(found)


def test_the_step_the_loop_the_loss_and_the_optimizer_are_told_apart() -> None:
    code = read(REGISTRY)
    assert players(code, "training_step") == {"one_epoch": ""}
    assert players(code, "loop") == {"run": "one_epoch"}
    assert players(code, "optimizer") == {"get_opt": "torch.optim.SGD"}
    assert set(players(code, "loss")) == {"one_epoch"}


def test_registries_filled_by_decorators() -> None:
    found = players(read(DECORATED), "model")
    assert (found["build"], found["head_of"]) == ("_KNOWN -> Net", "HEADS -> Head")


def test_a_lightning_project() -> None:
    code = read(LIGHTNING)
    assert set(players(code, "model")) == {"Base", "Classifier"}
    assert players(code, "training_step").keys() == {"Classifier.training_step", "main"}
    assert players(code, "loss")["Classifier.training_step"] == "Base._shared -> torch.nn.functional.cross_entropy"
    assert "Classifier.validation_step" in players(code, "evaluation")
    assert "Classifier.configure_optimizers" in players(code, "optimizer")
    assert {"Classifier.train_dataloader", "Digits"} <= set(players(code, "data"))


def test_a_trainer_of_transformers_says_what_each_function_is_for() -> None:
    code = read(HUGGING)
    assert players(code, "metric") == {"numbers": "Weighted(compute_metrics=)"}
    assert players(code, "data")["pad"] == "Trainer(data_collator=)"
    assert players(code, "model") == {"fresh": "Weighted(model_init=)", "Own": ""}
    assert "Weighted.compute_loss" in players(code, "loss")
    assert {"Weighted", "main", "plain"} <= set(players(code, "training_step"))


def test_a_hydra_target_plays_the_part_of_its_place() -> None:
    code = read(HYDRA)
    assert players(code, "model") == {"Perceptron": "conf/net/mlp.yaml:1"}
    assert players(code, "loss") == {"penalty": "conf/config.yaml:4"}
    assert players(code, "data") == {"Table": "conf/datamodule/csv.yaml:1"}


def test_an_assistant_with_a_memory() -> None:
    code = read(ASSISTANT)
    assert players(code, "memory") == {"Notes": ""}
    assert {"index_of", "recall_notes"} == set(players(code, "retrieval"))
    calls = players(code, "llm_call")
    assert set(calls) == {"Client.__init__", "Client.complete", "cheap", "ask"}
    assert calls["ask"] == "cheap -> litellm.completion"
    assert players(code, "prompt") == {"build_prompt": ""}
    assert "quality" in players(code, "metric")


@pytest.mark.parametrize("project", PROJECTS)
def test_both_readers_give_the_same_roles(project: str) -> None:
    full, fast = read(PROJECTS[project]), read(PROJECTS[project], cst_bytes=0)
    assert {s.source for s in fast.symbols} == {"ast"}
    assert [(s.file, s.name, s.roles, s.via) for s in full.symbols] == [
        (s.file, s.name, s.roles, s.via) for s in fast.symbols
    ]
    assert any(s.via for s in full.symbols)


def test_a_ring_of_factories_and_imports_ends() -> None:
    ring = {
        "a.py": "from b import *\nfrom b import two\n\n\ndef one(x):\n    return two(x)\n",
        "b.py": "from a import *\nfrom a import one\n\n\ndef two(x):\n    y = one(x)\n    y = y\n    return y\n",
    }
    assert not any(symbol.via for symbol in read(ring).symbols)

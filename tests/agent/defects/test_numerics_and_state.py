"""Numbers, parameters, padding, caches and value targets: programs before and after, and clean ones."""

from collections.abc import Callable

import pytest

Mended = Callable[[str, str, str], None]
Found = Callable[[str, str], list[object]]

IMPORTS = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"
LAYER = """
import torch
import torch.nn as nn

class Layer(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.w = nn.Parameter(torch.empty(a, b))
        self.bias = nn.Parameter(torch.zeros(b))

    def forward(self, x):
        return x @ self.w + self.bias
"""
INIT = "        nn.init.kaiming_uniform_(self.w, a=5**0.5)\n"
ATTENTION = """
import torch
import torch.nn.functional as F

def attend(q, k, v, mask):
    scores = q @ k.transpose(-2, -1)
    scores = scores.masked_fill(mask == 0, VALUE)
    return F.softmax(scores, dim=-1) @ v
"""
CACHE = """
class Embedder:
    def embed(self, text, model):
        if KEY in self.cache:
            return self.cache[INDEX]
        out = call(text, model)
        self.cache[INDEX] = out
        return out
"""
NAMED = """
class Embedder:
    def embed(self, text, model):
        key = VALUE
        if key in self._cache:
            return self._cache[key]
        self._cache[key] = call(text, model)
        return self._cache[key]
"""
DQN = """
import copy

class Agent:
    def __init__(self, net):
        self.q = net
        self.q_target = copy.deepcopy(self.q)

    def sync(self):
        self.q_target.load_state_dict(self.q.state_dict())

    def target(self, batch, gamma):
        obs, action, reward, next_obs, done = batch
        next_q = self.NET(next_obs).max(1).values
        return reward + gamma * END
"""
ASKED = DQN.replace("NET", "q_target").replace("END", "next_q * (1 - done)")
GENERATE = """
from transformers import AutoModelForCausalLM, AutoTokenizer

tok = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name)
inputs = tok(prompts, padding=True, return_tensors="pt")
out = model.generate(**inputs)
"""
TWO = "nn.Sequential(\n    nn.Linear(784, 256),\n    nn.Linear(256, 10),\n)"

LABELS = """
def collate(batch):
    b = tok(batch, padding="max_length", return_tensors="pt")
    b["labels"] = VALUE
    return b
"""
IGNORED = 'b["input_ids"].masked_fill(b["attention_mask"] == 0, -100)'
LISTED = """
def f(example):
    out = tok(example['text'], padding=True, return_tensors=None)
    out['labels'] = VALUE
    return out

data = data.map(f, batched=True)
"""
ADVANTAGES = """
import torch

def update(a, policy):
    a = (a - a.mean()) / STD
    (policy * a).mean().backward()
"""

POOLED = """
import torch

def embed(model, input_ids, attention_mask):
    out = model(input_ids, attention_mask)
    return out.last_hidden_state[AT]
"""
LAST = "torch.arange(len(attention_mask)), attention_mask.sum(dim=1) - 1"
FILED = """
def features(root, size):
    path = NAME
    if os.path.exists(path):
        return torch.load(path)
    x = extract(root, size)
    torch.save(x, path)
    return x
"""

ZEROED = """
import torch.nn as nn

def init(m):
    if isinstance(m, nn.Linear):
        FILL
        nn.init.zeros_(m.bias)
"""

DEFECTS = {
    "log of softmax": (
        "log_of_softmax",
        f"{IMPORTS}def f(x):\n    return torch.log(F.softmax(x, dim=1))\n",
        f"{IMPORTS}def f(x):\n    return F.log_softmax(x, dim=1)\n",
    ),
    "log of a method's softmax": (
        "log_of_softmax",
        f"{IMPORTS}def f(x):\n    return x.softmax(-1).log().sum()\n",
        f"{IMPORTS}def f(x):\n    return x.log_softmax(-1).sum()\n",
    ),
    "log of a named softmax": (
        "log_of_softmax",
        f"{IMPORTS}def f(x):\n    p = torch.softmax(x, dim=-1)\n    return -(p * torch.log(p)).sum()\n",
        f"{IMPORTS}def f(x):\n    p = torch.softmax(x, dim=-1)\n    return -(p * torch.log_softmax(x, dim=-1)).sum()\n",
    ),
    "log of sigmoid": (
        "log_of_softmax",
        "import torch\n\ndef f(a, b):\n    return -torch.log(torch.sigmoid(a - b)).mean()\n",
        "import torch\n\ndef f(a, b):\n    return -torch.nn.functional.logsigmoid(a - b).mean()\n",
    ),
    "cast softmax": (
        "cast_after",
        f"{IMPORTS}def f(x, m):\n    return F.softmax(x + m, dim=-1).float()\n",
        f"{IMPORTS}def f(x, m):\n    return F.softmax((x + m).float(), dim=-1)\n",
    ),
    "cast of a name whose letters the call has": (
        "cast_after",
        f"{IMPORTS}def f(x):\n    return F.softmax(x, dim=-1).float()\n",
        f"{IMPORTS}def f(x):\n    return F.softmax(x.float(), dim=-1)\n",
    ),
    "cast loss": (
        "cast_after",
        f"{IMPORTS}def f(x, y):\n    return F.cross_entropy(x.view(-1, 9), y).to(torch.float32)\n",
        f"{IMPORTS}def f(x, y):\n    return F.cross_entropy(x.view(-1, 9).to(torch.float32), y)\n",
    ),
    "empty parameter": (
        "uninitialised_parameter", LAYER, LAYER.replace("torch.empty(a, b))\n", f"torch.empty(a, b))\n{INIT}"),
    ),
    "two linear layers": (
        "linear_after_linear",
        f"{IMPORTS}net = {TWO}\n",
        f"{IMPORTS}net = {TWO}\n".replace("    nn.Linear(256", "XX    nn.Linear(256").replace("XX", "    nn.ReLU(),\n"),
    ),
    "two linear layers and dropout": (
        "linear_after_linear",
        f"{IMPORTS}net = nn.Sequential(nn.Linear(d, d), nn.Dropout(0.1), nn.Linear(d, n), nn.Tanh())\n",
        f"{IMPORTS}net = nn.Sequential(nn.Linear(d, d), nn.Tanh(), nn.Dropout(0.1), nn.Linear(d, n), nn.Tanh())\n",
    ),
    "softmax of one unit": (
        "softmax_of_one",
        'out = layers.Dense(1, activation="softmax")(x)\n',
        'out = layers.Dense(1, activation="sigmoid")(x)\n',
    ),
    "softmax of one output": (
        "softmax_of_one",
        f"{IMPORTS}net = nn.Sequential(nn.Linear(9, 1), nn.Softmax(dim=-1))\n",
        f"{IMPORTS}net = nn.Sequential(nn.Linear(9, 1), nn.Sigmoid())\n",
    ),
    "tiny for minus infinity": (
        "mask_constant",
        ATTENTION.replace("VALUE", "1e-9"),
        ATTENTION.replace("VALUE", "torch.finfo(scores.dtype).min"),
    ),
    "zero before a softmax": (
        "mask_constant",
        "def f(x, m):\n    return softmax(x.masked_fill(m, 0.0), -1)\n",
        "def f(x, m):\n    return softmax(x.masked_fill(m, float('-inf')), -1)\n",
    ),
    "key": (
        "cache_key",
        CACHE.replace("KEY", "text").replace("INDEX", "text"),
        CACHE.replace("KEY", "(text, model)").replace("INDEX", "text, model"),
    ),
    "named key": ("cache_key", NAMED.replace("VALUE", "digest(text)"), NAMED.replace("VALUE", "(digest(text), model)")),
    "end unused": ("bootstrap_past_end", ASKED.replace(" * (1 - done)", ""), ASKED),
    "end unused, written the other way": (
        "bootstrap_past_end",
        "def f(rewards, gamma, next_q, batch):\n    dones = batch[4]\n    return gamma * next_q + rewards\n",
        "def f(rewards, gamma, next_q, batch):\n    dones = batch[4]\n    return gamma * next_q * (1 - dones) + rewards\n",
    ),
    "target network unused": ("unused_target_network", ASKED.replace("self.q_target(next", "self.q(next"), ASKED),
    "padding in tensors of labels": (
        "padding_in_labels", LABELS.replace("VALUE", 'b["input_ids"].clone()'), LABELS.replace("VALUE", IGNORED)),
    "padding in lists of labels": (
        "padding_in_labels",
        LISTED.replace("VALUE", "out['input_ids'].copy()"),
        LISTED.replace("VALUE", '[[t if m else -100 for t, m in zip(*row)] for row in zip(out["input_ids"], out["attention_mask"])]'),
    ),
    "padding in a list of labels": (
        "padding_in_labels",
        LISTED.replace("VALUE", "out['input_ids'].copy()").replace(", batched=True", ""),
        LISTED.replace("VALUE", '[t if m else -100 for t, m in zip(out["input_ids"], out["attention_mask"])]').replace(
            ", batched=True", ""),
    ),
    "deviation of 0": (
        "unguarded_std", ADVANTAGES.replace("STD", "a.std()"), ADVANTAGES.replace("STD", "(a.std() + 1e-8)")),
    "deviation of 0, by functions": (
        "unguarded_std",
        ADVANTAGES.replace("a.mean()) / STD", "torch.mean(a)) / torch.std(a, 0)"),
        ADVANTAGES.replace("a.mean()) / STD", "torch.mean(a)) / (torch.std(a, 0) + 1e-8)"),
    ),
    "last position": ("last_token_is_padding", POOLED.replace("AT", ":, -1"), POOLED.replace("AT", LAST)),
    "all alike": (
        "symmetric_weights",
        ZEROED.replace("FILL", "nn.init.constant_(m.weight, 0.1)"),
        ZEROED.replace("FILL", "nn.init.kaiming_uniform_(m.weight, a=5**0.5)"),
    ),
    "padded on the right": (
        "right_padded_generation",
        GENERATE,
        GENERATE.replace("model = ", 'tok.padding_side = "left"\nmodel = '),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_mended(name: str, mended: Mended) -> None:
    mended(*DEFECTS[name])


def _layer(change: str) -> str:
    return LAYER.replace("    def forward", f"{change}\n\n    def forward")


CLEAN = [
    ("symmetric_weights", ZEROED.replace("FILL", "nn.init.normal_(m.weight)")),
    ("symmetric_weights", ZEROED.replace("FILL", "nn.init.ones_(m.weight)").replace("nn.Linear", "(nn.LayerNorm, nn.BatchNorm2d)")),
    ("symmetric_weights", "import torch.nn as nn\ndef init(self):\n    nn.init.zeros_(self.out.weight)\n    if isinstance(self.a, nn.Linear):\n"
                          "        nn.init.zeros_(self.b.weight)\n"),
    ("last_token_is_padding", POOLED.replace("AT", LAST)),
    ("last_token_is_padding", POOLED.replace("AT", ":, 0")),
    ("last_token_is_padding", POOLED.replace("AT", ":, -1") + "\ntok.padding_side = 'left'\n"),
    ("last_token_is_padding", POOLED.replace("AT", ":, -1").replace("attention_mask", "mask")),
    ("stale_cache_file", FILED.replace("NAME", "f'{root}/features-{size}.pt'")),
    ("stale_cache_file", FILED.replace("NAME", "root + '/a.pt'").replace("size", "device")),
    ("stale_cache_file", FILED.replace("size", "path").replace("    path = NAME\n", "")),
    ("padding_in_labels", LABELS.replace("VALUE", IGNORED)),
    ("padding_in_labels", LABELS.replace("VALUE", 'b["input_ids"].clone()').replace('padding="max_length", ', "")),
    ("padding_in_labels", LABELS.replace("VALUE", 'b["input_ids"].clone()') + "    b['labels'][b['labels'] == pad] = -100\n"),
    ("padding_in_labels", LABELS.replace("VALUE", 'other["input_ids"].clone()')),
    ("unguarded_std", ADVANTAGES.replace("STD", "(a.std() + 1e-8)")),
    ("unguarded_std", ADVANTAGES.replace("STD", "b.std()")),
    ("unguarded_std", ADVANTAGES.replace("STD", "a.std()").replace(".backward()", "")),
    ("unguarded_std", ADVANTAGES.replace("    a = ", "    if len(a) > 1:\n        a = ").replace("STD", "a.std()")),
    ("log_of_softmax", f"{IMPORTS}def f(x):\n    p = F.softmax(x, dim=1)\n    return torch.log(p + 1e-9), torch.log(p.clamp(min=1e-9))\n"),
    ("log_of_softmax", f"{IMPORTS}def f(x, n):\n    p = F.softmax(x, dim=1)\n    p = p * n\n    return torch.log(p), torch.log(x)\n"),
    ("log_of_softmax", f"{IMPORTS}def f(x):\n    p = F.softmax(x, dim=1)\n    x = g(x)\n    return torch.log(p)\n"),
    ("log_of_softmax", "import numpy as np\nfrom scipy.special import softmax\na = np.log(softmax(x, 1))\n"),
    ("log_of_softmax", f"{IMPORTS}def f(x):\n    return F.log_softmax(x, dim=1), F.softmax(x, 1), math.log(2)\n"),
    ("cast_after", f"{IMPORTS}def f(x):\n    a = F.softmax(x.float(), dim=-1).float()\n    b = F.softmax(x, -1, dtype=torch.float32).float()\n"
                   "    return a, b, F.softmax(x, -1).to(x.dtype), x.mean().float()\n"),
    ("cast_after", f"{IMPORTS}def f(x, y):\n    return F.cross_entropy(x.to(torch.float32), y).float(), (x == y).float()\n"),
    ("uninitialised_parameter", LAYER.replace("torch.empty(a, b))\n", f"torch.empty(a, b))\n{INIT}")),
    ("uninitialised_parameter", _layer("    def reset_parameters(self):\n        nn.init.normal_(self.w)")),
    ("uninitialised_parameter", _layer("    def start(self):\n        self.w.data.uniform_(-1, 1)")),
    ("uninitialised_parameter", _layer("    def reset(self):\n        for p in self.parameters():\n            p.data.normal_()")),
    ("uninitialised_parameter", _layer("    def set(self):\n        with torch.no_grad():\n            self.w[:] = 1")),
    ("uninitialised_parameter", LAYER.replace("torch.empty(a, b)", "torch.randn(a, b)").replace("zeros(b)", "Tensor(values)")),
    ("uninitialised_parameter", LAYER.replace("nn.Module", "PreTrained")),
    ("uninitialised_parameter", LAYER.replace("torch.empty(a, b)", "torch.empty(a, b), requires_grad=False")),
    ("linear_after_linear", f"{IMPORTS}a = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))\n"),
    ("linear_after_linear", f"{IMPORTS}a = nn.Sequential(nn.Linear(512, 8), nn.Linear(8, 512))\nb = nn.Sequential(nn.Linear(d, r), nn.Linear(r, d))\n"),
    ("linear_after_linear", f"{IMPORTS}a = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 64))\n"),
    ("softmax_of_one", f"{IMPORTS}a = nn.Sequential(nn.Linear(64, 1), nn.Softmax(dim=1))\nb = nn.Sequential(nn.Linear(9, 2), nn.Softmax(dim=-1))\n"
                       'c = Dense(2, activation="softmax")\nd = Dense(1, activation="sigmoid")\n'),
    ("mask_constant", ATTENTION.replace("VALUE", "-1e9")),
    ("mask_constant", ATTENTION.replace("VALUE", "float('-inf')")),
    ("mask_constant", "def f(x, m):\n    p = softmax(x, -1)\n    p = p.masked_fill(m, 0.0)\n    return p / p.sum(-1)\n"),
    ("mask_constant", "def f(x, m):\n    x = x.masked_fill(m, 0.0)\n    h = net(x)\n    return softmax(h, -1), softmax(x, -1)\n"),
    ("cache_key", CACHE.replace("KEY", "(text, model)").replace("INDEX", "text, model")),
    ("cache_key", CACHE.replace("KEY", "text").replace("INDEX", "text").replace("model", "device")),
    ("cache_key", NAMED.replace("VALUE", "self._key(text, model)")),
    ("cache_key", NAMED.replace("VALUE", 'f"{text}-{model.name}"')),
    ("cache_key", "def f(n, cache):\n    if n in cache:\n        return cache[n]\n    cache[n] = g(n, cache)\n    return cache[n]\n"),
    ("bootstrap_past_end", ASKED),
    ("bootstrap_past_end", ASKED.replace(" * (1 - done)", "").replace("        next_q = ", "        next_q = (~done) * ")),
    ("bootstrap_past_end", "def f(reward, gamma, next_q):\n    return reward + gamma * next_q\n"),
    ("bootstrap_past_end", "def f(env, q, gamma):\n    done = False\n    while not done:\n        s, reward, done, _ = env.step(a)\n"
                           "        q[s] = reward + gamma * q[s].max()\n"),
    ("unused_target_network", ASKED),
    ("unused_target_network", ASKED.replace("self.q_target(next", "self.q(next") + "\n    def ask(self):\n        return [self.q_target]\n"),
    ("unused_target_network", "class A:\n    def __init__(self, size):\n        self.size = int(size)\n        self.target = int(size)\n"),
    ("right_padded_generation", GENERATE.replace("(name)\nmodel", '(name, padding_side="left")\nmodel')),
    ("right_padded_generation", GENERATE.replace("tok(prompts, padding=True", "tok(prompt")),
    ("right_padded_generation", GENERATE.replace("AutoModelForCausalLM", "AutoModelForSeq2SeqLM")),
    ("right_padded_generation", GENERATE.replace("tok(prompts", "tok([prompt]")),
]  # fmt: skip


@pytest.mark.parametrize(("detector", "program"), CLEAN)
def test_silent(detector: str, program: str, found: Found) -> None:
    assert found(detector, program) == []


@pytest.mark.parametrize(
    "save", ["torch.save(x, path)", "np.save(path, x)", "with open(path, 'wb') as f:\n        pickle.dump(x, f)"]
)
def test_a_file_whose_name_lacks_the_size_is_told(save: str, found: Found) -> None:
    (finding,) = found("stale_cache_file", FILED.replace("NAME", "root + '/a.pt'").replace("torch.save(x, path)", save))
    assert finding.action == "advise"  # type: ignore[attr-defined]

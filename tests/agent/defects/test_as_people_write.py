"""Programs in the styles people write: what is added to and taken from them line by line, and what must stay silent."""

from collections.abc import Callable
from difflib import ndiff
from typing import Any

import pytest

from branchlab.agent.operators.apply import apply_edits

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nfrom torch.utils.data import DataLoader\n"
NET = HEAD + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))

    def forward(self, x):
        return self.body(x)

"""  # fmt: skip
TRAIN = "\ndef fit(m, dl, opt):\n    for x, y in dl:\n        opt.zero_grad()\n        m(x).sum().backward()\n        opt.step()\n"
SPLIT = "from sklearn.model_selection import train_test_split\nfrom sklearn.preprocessing import StandardScaler\n"
CHANGED = {
    "softmax_before_loss: a named layer": (
        HEAD + "from collections import OrderedDict\nm = nn.Sequential(OrderedDict([('fc', nn.Linear(4, 2)), ('p', nn.Softmax(dim=1))]))\n"
        "def loss(x, y):\n    return F.cross_entropy(m(x), y)\n",
        ["- m = nn.Sequential(OrderedDict([('fc', nn.Linear(4, 2)), ('p', nn.Softmax(dim=1))]))",
         "+ m = nn.Sequential(OrderedDict([('fc', nn.Linear(4, 2))]))"],
    ),
    "softmax_before_loss: a statement of its own": (
        HEAD + "class N(nn.Module):\n    def forward(self, x):\n        x = self.fc(x)\n        x = nn.Softmax(dim=1)(x)\n        return x\n"
        "class T:\n    def __init__(self):\n        self.net = N()\n        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)\n"
        "    def loss(self, x, y):\n        pred = self.net(x)\n        return self.loss_fn(pred, y)\n",
        ["-         x = nn.Softmax(dim=1)(x)"],
    ),
    "softmax_before_loss: one of two outputs": (
        HEAD + "class N(nn.Module):\n    def forward(self, x):\n        h = self.enc(x)\n        return F.softmax(self.fc(h), 1), h\n"
        "def loss(x, y):\n    out, h = N()(x)\n    return nn.CrossEntropyLoss()(out, y)\n",
        ["-         return F.softmax(self.fc(h), 1), h", "+         return self.fc(h), h"],
    ),
    "softmax_before_loss: the loss inside the model, which answers with probabilities": (
        HEAD + "class N(nn.Module):\n    def forward(self, x, y=None):\n        p = F.softmax(self.fc(x), dim=-1)\n        loss = None\n"
        "        if y is not None:\n            loss = F.cross_entropy(p, y)\n        return p, loss\n",
        ["-             loss = F.cross_entropy(p, y)", "+             loss = F.cross_entropy(p.clamp_min(1e-9).log(), y)"],
    ),
    "softmax_before_loss: lightning": (
        HEAD + "import pytorch_lightning as pl\nclass N(pl.LightningModule):\n    def __init__(self):\n        self.loss = nn.CrossEntropyLoss()\n"
        "    def forward(self, x):\n        return torch.softmax(self.fc(x), dim=1)\n    def training_step(self, batch, i):\n"
        "        x, y = batch\n        return self.loss(self(x), y)\n",
        ["-         return torch.softmax(self.fc(x), dim=1)", "+         return self.fc(x)"],
    ),
    "missing_zero_grad: while": (
        "def train(m, opt, it):\n    while True:\n        loss = m(next(it))\n        loss.backward()\n        opt.step()\n",
        ["+         opt.zero_grad()"],
    ),
    "missing_zero_grad: one of two optimizers": (
        "def train(g, d, opt_g, opt_d, loader):\n    for x in loader:\n        ld = d(x).mean()\n        opt_d.zero_grad()\n        ld.backward()\n"
        "        opt_d.step()\n        lg = -d(g(x)).mean()\n        lg.backward()\n        opt_g.step()\n",
        ["+         opt_g.zero_grad()"],
    ),
    "evaluation_mode: a script that loads": (
        NET + "def answer():\n    model = Net()\n    model.load_state_dict(torch.load('m.pt'))\n    with torch.no_grad():\n"
        "        print(model(torch.rand(3, 4)))\n",
        ["+         model.eval()"],
    ),
    "evaluation_mode: a function by another name": (
        NET + "@torch.inference_mode()\ndef classify(net, x):\n    return net(x).argmax(-1)\n\ndef serve(path, x):\n    net = Net()\n"
        "    net.load_state_dict(torch.load(path))\n    return classify(net, x)\n",
        ["+     net.eval()"],
    ),
    "evaluation_mode: a class that is called": (
        NET + "class Predictor:\n    def __init__(self, path):\n        self.model = Net()\n        self.model.load_state_dict(torch.load(path))\n"
        "    def __call__(self, x):\n        with torch.no_grad():\n            return self.model(x).argmax(1)\n",
        ["+         self.model.eval()"],
    ),
    "fit_before_split: two in turn, one needs the labels": (
        SPLIT + "X = SimpleImputer().fit_transform(X)\nsel = SelectKBest(k=9)\nX = sel.fit_transform(X, y)\n"
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)\n",
        ["- X = SimpleImputer().fit_transform(X)", "- X = sel.fit_transform(X, y)", "+ imputer = SimpleImputer()",
         "+ X_train = imputer.fit_transform(X_train)", "+ X_test = imputer.transform(X_test)",
         "+ X_train = sel.fit_transform(X_train, y_train)", "+ X_test = sel.transform(X_test)"],
    ),
    "fit_before_split: fit and transform apart": (
        SPLIT + "sc = StandardScaler()\nsc.fit(X)\nX = sc.transform(X)\na, b, c, d = train_test_split(X, y)\n",
        ["- sc.fit(X)", "- X = sc.transform(X)", "+ a = sc.fit_transform(a)", "+ b = sc.transform(b)"],
    ),
    "fit_before_split: inside the call": (
        SPLIT + "a, b = train_test_split(StandardScaler().fit_transform(X))\n",
        ["- a, b = train_test_split(StandardScaler().fit_transform(X))", "+ a, b = train_test_split(X)",
         "+ scaler = StandardScaler()", "+ a = scaler.fit_transform(a)", "+ b = scaler.transform(b)"],
    ),
    "unshuffled_training: lightning": (
        HEAD + "import lightning as L\nclass D(L.LightningDataModule):\n    def train_dataloader(self):\n        return DataLoader(self.train_set, 32)\n"
        "    def val_dataloader(self):\n        return DataLoader(self.val_set, 32)\n",
        ["-         return DataLoader(self.train_set, 32)", "+         return DataLoader(self.train_set, 32, shuffle=True)"],
    ),
    "unshuffled_training: tensors": (
        HEAD + "def get(x, y):\n    train_ds = TensorDataset(x, y)\n    return DataLoader(train_ds, batch_size=8, drop_last=True)\n" + TRAIN,
        ["-     return DataLoader(train_ds, batch_size=8, drop_last=True)",
         "+     return DataLoader(train_ds, batch_size=8, drop_last=True, shuffle=True)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_changes_these_lines(case: str, found: Callable[[str, str], list[Any]]) -> None:
    before, lines = CHANGED[case]
    findings = found(case.partition(":")[0], before)
    assert len(findings) == 1
    after = apply_edits({"train.py": before.encode()}, findings[0].edits)["train.py"].decode()
    assert [line.rstrip() for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"] == lines
    assert found(case.partition(":")[0], after) == []


def training(*lines: str) -> str:
    return "def train(m, opt, loader):\n    for b in loader:\n" + "".join(f"        {line}\n" for line in lines)


SILENT = {
    "softmax_before_loss: only when asked for": HEAD + "class N(nn.Module):\n    def forward(self, x, probs=False):\n        x = self.fc(x)\n"
    "        if probs:\n            x = F.softmax(x, dim=1)\n        return x\ndef loss(x, y):\n    return F.cross_entropy(N()(x), y)\n",
    "softmax_before_loss: one of two losses": HEAD + "class N(nn.Module):\n    def forward(self, x):\n        return F.softmax(self.fc(x), dim=1)\n"
    "def loss(x, y, soft):\n    m = N()\n    c = nn.CrossEntropyLoss() if soft else nn.BCELoss()\n    return c(m(x), y)\n",
    "softmax_before_loss: of the logarithm": HEAD + "class N(nn.Module):\n    def forward(self, x):\n        return F.softmax(self.fc(x), dim=1)\n"
    "def loss(x, y):\n    m = N()\n    return F.cross_entropy(torch.log(m(x) + 1e-9), y)\n",
    "softmax_before_loss: a gate": HEAD + "class N(nn.Module):\n    def forward(self, x):\n        g = torch.sigmoid(self.g(x))\n"
    "        return g * self.fc(x)\ndef loss(x, y):\n    m = N()\n    return nn.BCEWithLogitsLoss()(m(x), y)\n",
    "missing_zero_grad: a list of optimizers": training(
        "[o.zero_grad() for o in opt]", "m(b).backward()", "[o.step() for o in opt]"),
    "missing_zero_grad: one step of no loop": HEAD + "def main():\n    w = torch.zeros(2, requires_grad=True)\n    opt = torch.optim.SGD([w], 0.1)\n"
    "    (w ** 2).sum().backward()\n    opt.step()\n",
    "missing_zero_grad: distributed autograd": "import torch.distributed.autograd as dist_autograd\n" + training(
        "with dist_autograd.context() as context:", "    dist_autograd.backward(context, [m(b)])", "    opt.step(context)"),
    "missing_zero_grad: both cleared by their models": "def train(g, d, opt_g, opt_d, loader):\n    for x in loader:\n        d.zero_grad()\n"
    "        d(x).backward()\n        opt_d.step()\n        g.zero_grad()\n        g(x).backward()\n        opt_g.step()\n",
    "missing_zero_grad: both cleared by a function": HEAD + "def reset():\n    opt_d.zero_grad()\n    opt_g.zero_grad()\n\nfor x in loader:\n"
    "    reset()\n    d(x).backward()\n    opt_d.step()\n    reset()\n    g(x).backward()\n    opt_g.step()\n",
    "evaluation_mode: dropout on purpose": NET + "@torch.no_grad()\ndef predict_mc_dropout(model, x):\n    model.train()\n"
    "    return torch.stack([model(x) for _ in range(9)])\n\ndef main(x):\n    predict_mc_dropout(Net(), x)\n",
    "evaluation_mode: a decorator": NET + "def evaluating(f):\n    def run(model, *a):\n        model.eval()\n        with torch.no_grad():\n"
    "            return f(model, *a)\n    return run\n\n@evaluating\ndef test(model, loader):\n    return [model(x) for x in loader]\n\n"
    "def main(loader):\n    test(Net(), loader)\n",
    "evaluation_mode: a context": NET + "@contextmanager\ndef evaluation(m):\n    m.eval()\n    with torch.no_grad():\n        yield\n    m.train()\n\n"
    "def test(model, loader):\n    with evaluation(model):\n        return [model(x) for x in loader]\n\ndef main(loader):\n    test(Net(), loader)\n",
    "evaluation_mode: whoever loads it": NET + "def load_model(path):\n    m = Net()\n    m.load_state_dict(torch.load(path))\n    return m.eval()\n\n"
    "@torch.no_grad()\ndef predict(m, x):\n    return m(x)\n\ndef main(path, x):\n    m = load_model(path)\n    return predict(m, x)\n",
    "evaluation_mode: a target network": NET + "def train(online, target, loader, opt):\n    for s, r in loader:\n        with torch.no_grad():\n"
    "            q = target(s).max(1)[0] + r\n        opt.zero_grad()\n        F.mse_loss(online(s), q).backward()\n        opt.step()\n\n"
    "def main(loader):\n    a, b = Net(), Net()\n    train(a, b, loader, torch.optim.Adam(a.parameters()))\n",
    "fit_before_split: used as a whole besides": SPLIT + "Xs = StandardScaler().fit_transform(X)\nkm.fit(Xs)\na, b = train_test_split(Xs)\nplot(Xs)\n",
    "fit_before_split: training data split again": SPLIT + "x_train = sc.fit_transform(x_train)\nx_test = sc.transform(x_test)\n"
    "x_train, x_val = train_test_split(x_train)\n",
    "fit_before_split: cross-validation": SPLIT + "X = sc.fit_transform(X)\nscores = cross_val_score(clf, X, y)\n",
    "fit_before_split: labels": SPLIT + "y = LabelEncoder().fit_transform(y)\na, b, c, d = train_test_split(X, y)\n",
    "unshuffled_training: windows in order, said so": HEAD + "train_loader = DataLoader(train_windows, batch_size=8, shuffle=False)\n" + TRAIN,
    "unshuffled_training: shuffled before it was cut": HEAD + "data = data.shuffle()\ntrain_set = data[100:]\n"
    "train_loader = DataLoader(train_set, batch_size=8)\n" + TRAIN,
    "unshuffled_training: a streamed set": HEAD + "train_ds = load_dataset('c4', streaming=True)\ntrain_loader = DataLoader(train_ds, 32)\n" + TRAIN,
    "unshuffled_training: another pass, to evaluate": HEAD + "train_loader = DataLoader(train_ds, 8, shuffle=True)\n"
    "train_eval_loader = DataLoader(train_ds, 8)\n" + TRAIN,
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_says_nothing(case: str, found: Callable[[str, str], list[Any]]) -> None:
    assert [f.title for f in found(case.partition(":")[0], SILENT[case])] == []

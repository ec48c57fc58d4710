"""Metrics, totals and what is kept as best: programs before and after, and clean ones."""

from collections.abc import Callable

import pytest

Mended = Callable[[str, str, str], None]
Found = Callable[[str, str], list[object]]

ACCURACY = """
import torch
import torch.nn.functional as F

def evaluate(model, test_loader):
    right, total = 0, 0.0
    for x, y in test_loader:
        out = model(x)
        right += out.argmax(1).eq(y).sum().item()
        loss = F.cross_entropy(out, y)
        total += loss.item()
    return right / DIVISOR, total / NUMBER
"""
RIGHT = ACCURACY.replace("DIVISOR", "len(test_loader.dataset)").replace("NUMBER", "len(test_loader)")
TRAINED = """
import torch

def train(net, loader, optimizer):
    total = 0
    history = []
    for x, y in loader:
        loss = f(net(x), y)
        loss.backward()
        optimizer.step()
        ADD
    return total / len(loader), history
"""
BEST = """
def fit(model):
    best_loss = START
    for epoch in range(9):
        val_loss = evaluate(model)
        if val_loss OP best_loss:
            best_loss = val_loss
            save(model)
"""
GOOD = BEST.replace("START", "float('inf')").replace("OP", "<")
SKLEARN = (
    "from sklearn.metrics import precision_score, roc_auc_score\nfrom sklearn.linear_model import LogisticRegression\n"
)
IMAGES = """
import cv2
import numpy as np

def mse(p, q):
    a = cv2.imread(p)
    b = cv2.imread(q)
    return np.mean((DIFF) ** 2)
"""
PLATEAU = """
from torch.optim.lr_scheduler import ReduceLROnPlateau

def fit(optimizer):
    scheduler = ReduceLROnPlateau(MADE)
    for epoch in range(9):
        val_acc = evaluate()
        scheduler.step(val_acc)
"""

BATCHES = """
from sklearn.metrics import f1_score

def evaluate(net, val_loader, scores, truth, guess):
    for x, y in val_loader:
        p = net(x)
        ADD
    END
"""

KEPT = """
def fit(model, loader):
    best = float("inf")
    best_state = None
    for epoch in range(9):
        loss = train(model, loader)
        if loss < best:
            best = loss
            best_state = VALUE  # so far
    model.load_state_dict(best_state)
"""
COPIED = KEPT.replace("VALUE", "copy.deepcopy(model.state_dict())")
RETURNED = """
import torch
from copy import deepcopy

def fit(model, loader):
    for epoch in range(9):
        if evaluate(model) > best:
            best_model = VALUE
    print(model.state_dict().keys())
    return best_model
"""

DEFECTS = {
    "samples by batches": ("count_over_batches", RIGHT.replace("right / len(test_loader.dataset)", "right / len(test_loader)"), RIGHT),
    "batches by samples": ("count_over_batches", RIGHT.replace("total / len(test_loader)", "total / len(test_loader.dataset)"), RIGHT),
    "percent by batches": (
        "count_over_batches",
        RIGHT.replace("right / len(test_loader.dataset)", "100.0 * right / len(test_loader)"),
        RIGHT.replace("right / ", "100.0 * right / "),
    ),
    "divided in place": (
        "count_over_batches",
        RIGHT.replace("    return", "    total /= len(test_loader.dataset)\n    return").replace("total / len(test_loader)", "total"),
        RIGHT.replace("    return", "    total /= len(test_loader)\n    return").replace("total / len(test_loader)", "total"),
    ),
    "argmax over the batch": ("argmax_over_batch", RIGHT.replace(".argmax(1).eq(y)", ".argmax(1) == y").replace(
        "right += out.argmax(1) == y.sum().item()", "right += (out.argmax(dim=0) == y).sum().item()"),
        RIGHT.replace("right += out.argmax(1).eq(y)", "right += (out.argmax(dim=1) == y)")),
    "median of what came": (
        "unsorted_median",
        "def show(times):\n    median = times[len(times) // 2]\n    return median\n",
        "def show(times):\n    median = sorted(times)[len(times) // 2]\n    return median\n",
    ),
    "best by reference": (
        "best_state_not_copied", KEPT.replace("VALUE", "model.state_dict()"), "import copy" + COPIED),
    "best in a shallow copy": (
        "best_state_not_copied", KEPT.replace("VALUE", "model.state_dict().copy()"), "import copy" + COPIED),
    "best model by reference": (
        "best_state_not_copied", RETURNED.replace("VALUE", "model"), RETURNED.replace("VALUE", "deepcopy(model)")),
    "swapped": (
        "swapped_metric_arguments",
        f"{SKLEARN}p = precision_score(y_pred, y_test, average='macro')\n",
        f"{SKLEARN}p = precision_score(y_test, y_pred, average='macro')\n",
    ),
    "swapped, words together": (
        "swapped_metric_arguments",
        f"{SKLEARN}p = precision_score(ypred, ytest)\n",
        f"{SKLEARN}p = precision_score(ytest, ypred)\n",
    ),
    "swapped, through calls": (
        "swapped_metric_arguments",
        "import sklearn.metrics as m\nc = m.confusion_matrix(model.predict(x), labels.cpu())\n",
        "import sklearn.metrics as m\nc = m.confusion_matrix(labels.cpu(), model.predict(x))\n",
    ),
    "classes for scores": (
        "classes_for_scores",
        f"{SKLEARN}clf = LogisticRegression()\nprint(roc_auc_score(y, clf.predict(x)))\n",
        f"{SKLEARN}clf = LogisticRegression()\nprint(roc_auc_score(y, clf.predict_proba(x)[:, 1]))\n",
    ),
    "classes for scores of several": (
        "classes_for_scores",
        SKLEARN + 'models = {"a": LogisticRegression(), "b": XGBClassifier()}\nfor name, m in models.items():\n'
        "    p = m.predict(x)\n    print(name, roc_auc_score(y, p))\n",
        SKLEARN + 'models = {"a": LogisticRegression(), "b": XGBClassifier()}\nfor name, m in models.items():\n'
        "    p = m.predict(x)\n    print(name, roc_auc_score(y, m.predict_proba(x)[:, 1]))\n",
    ),
    "weighted F1 is sided": (
        "swapped_metric_arguments",
        "from sklearn import metrics\nf = metrics.f1_score(y_pred, y_test, average='weighted')\n",
        "from sklearn import metrics\nf = metrics.f1_score(y_test, y_pred, average='weighted')\n",
    ),
    "images wrap": ("integer_difference", IMAGES.replace("DIFF", "a - b"), IMAGES.replace("DIFF", "a.astype(float) - b")),
    "tensors wrap": (
        "integer_difference",
        "def d(x, y):\n    w = x.clamp(0, 255).byte()\n    z = y.byte()\n    return (w[0] - z).abs().mean()\n",
        "def d(x, y):\n    w = x.clamp(0, 255).byte()\n    z = y.byte()\n    return (w[0].float() - z).abs().mean()\n",
    ),
    "graph in a sum": ("graph_in_total", TRAINED.replace("ADD", "total += loss  # of the epoch"),
                       TRAINED.replace("ADD", "total += loss.detach()  # of the epoch")),
    "graph in a list": ("graph_in_total", TRAINED.replace("ADD", "history.append(loss)"),
                        TRAINED.replace("ADD", "history.append(loss.detach())")),
    "highest loss kept": ("best_wrong_way", GOOD.replace("val_loss <", "val_loss >"), GOOD),
    "loss below zero": ("best_wrong_way", BEST.replace("START", "0").replace("OP", "<"), GOOD),
    "accuracy above infinity": (
        "best_wrong_way",
        GOOD.replace("loss", "acc").replace("<", ">"),
        GOOD.replace("loss", "acc").replace("<", ">").replace("float('inf')", "float('-inf')"),
    ),
    "early stop": (
        "best_wrong_way",
        'stop = EarlyStopping(monitor="val_acc", mode="min", patience=3)\n',
        'stop = EarlyStopping(monitor="val_acc", mode=\'max\', patience=3)\n',
    ),
    "early stop by default": (
        "best_wrong_way",
        'import pytorch_lightning as pl\nstop = pl.callbacks.EarlyStopping(monitor="val_acc")\n',
        'import pytorch_lightning as pl\nstop = pl.callbacks.EarlyStopping(monitor="val_acc", mode=\'max\')\n',
    ),
    "best of a trainer": (
        "best_wrong_way",
        'a = TrainingArguments("out", metric_for_best_model="eval_loss", greater_is_better=True)\n',
        'a = TrainingArguments("out", metric_for_best_model="eval_loss", greater_is_better=False)\n',
    ),
    "schedule by default": ("best_wrong_way", PLATEAU.replace("MADE", "optimizer, patience=2"),
                            PLATEAU.replace("MADE", "optimizer, patience=2, mode='max'")),
    "schedule": ("best_wrong_way", PLATEAU.replace("MADE", "optimizer, 'min', 0.5"), PLATEAU.replace("MADE", "optimizer, 'max', 0.5")),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_mended(name: str, mended: Mended) -> None:
    mended(*DEFECTS[name])


CLEAN = [
    ("swapped_metric_arguments", "from sklearn.metrics import f1_score\nf = f1_score(y_pred, y_test, average='macro')\n"),
    ("classes_for_scores", SKLEARN + 'ms = {"a": LogisticRegression(), "b": Net()}\nfor n, m in ms.items():\n    roc_auc_score(y, m.predict(x))\n'),
    ("best_state_not_copied", COPIED),
    ("best_state_not_copied", KEPT.replace("VALUE", "{k: v.clone() for k, v in model.state_dict().items()}")),
    ("best_state_not_copied", KEPT.replace("VALUE", "model.state_dict()\n            torch.save(best_state, p)")),
    ("best_state_not_copied", KEPT.replace("VALUE", "model.state_dict()").replace("model.load_state_dict(best_state)", "return best")),
    ("best_state_not_copied", "best_state = model.state_dict()\nmodel.load_state_dict(best_state)\n"),
    ("unsorted_median", "def f(times):\n    times.sort()\n    median = times[len(times) // 2]\n    middle = times[len(times) // 2]\n"),
    ("unsorted_median", "def f(times):\n    half = times[len(times) // 2]\n    medoid = times[3]\n    return sum(times[: len(times) // 2])\n"),
    ("mean_of_batch_scores", BATCHES.replace("ADD", "truth += y.tolist()").replace("END", "return f1_score(truth, guess)")),
    ("mean_of_batch_scores", BATCHES.replace("ADD", "scores.append(f1_score(y, p))").replace("val_loader", "folds")),
    ("mean_of_batch_scores", BATCHES.replace("ADD", "print(f1_score(y, p))").replace("END", "return 0")),
    ("count_over_batches", RIGHT),
    ("count_over_batches", RIGHT.replace("total += loss.item()", "total += loss.item() * len(y)").replace(
        "total / len(test_loader)", "total / len(test_loader.dataset)")),
    ("count_over_batches", RIGHT.replace("F.cross_entropy(out, y)", "F.cross_entropy(out, y, reduction='sum')").replace(
        "total / len(test_loader)", "total / len(test_loader.dataset)")),
    ("count_over_batches", RIGHT.replace(".sum().item()", ".float().mean().item()").replace(
        "right / len(test_loader.dataset)", "right / len(test_loader)")),
    ("count_over_batches", RIGHT.replace(".sum().item()", ".sum().item() / len(y)").replace(
        "right / len(test_loader.dataset)", "right / len(test_loader)")),
    ("argmax_over_batch", RIGHT),
    ("argmax_over_batch", "import torch\ndef f(model, x, y):\n    return model(x).argmax(0) == y\n"),
    ("argmax_over_batch", "import torch\nfor x, y in loader:\n    out = model(x)\n    out = out[0]\n    ok = out.argmax(0) == y\n"),
    ("swapped_metric_arguments", f"{SKLEARN}a = precision_score(y_test, y_pred)\nb = precision_score(a, b)\n"
                                 "c = precision_score(y_pred=p, y_true=t)\nd = roc_auc_score(scores, outputs)\n"),
    ("swapped_metric_arguments", "from mine import precision_score\np = precision_score(y_pred, y_test)\n"),
    ("swapped_metric_arguments", "from sklearn.metrics import accuracy_score\np = accuracy_score(y_pred, y_test)\n"),
    ("classes_for_scores", f"{SKLEARN}clf = LogisticRegression()\na = roc_auc_score(y, clf.predict_proba(x)[:, 1])\n"
                           "b = roc_auc_score(y, model.predict(x))\nc = roc_auc_score(y, clf.decision_function(x))\n"),
    ("classes_for_scores", "from sklearn.ensemble import RandomForestRegressor\nm = RandomForestRegressor()\na = roc_auc_score(y, m.predict(x))\n"),
    ("integer_difference", IMAGES.replace("DIFF", "a.astype(np.float32) - b")),
    ("integer_difference", IMAGES.replace("cv2.imread(q)", "cv2.imread(q).astype(float)").replace("DIFF", "a - b")),
    ("integer_difference", IMAGES.replace("    return", "    a = a / 255\n    b = b / 255\n    return").replace("DIFF", "a - b")),
    ("integer_difference", IMAGES.replace("DIFF", "a - a.mean()")),
    ("graph_in_total", TRAINED.replace("ADD", "total += loss.item()\n        history.append(loss.detach())")),
    ("graph_in_total", TRAINED.replace("loss.backward()", "pass").replace("ADD", "total += loss").replace(
        "    return", "    total.backward()\n    return")),
    ("graph_in_total", "for x in loader:\n    total = 0\n    for h in heads:\n        loss = h(x)\n        total += loss\n    total.backward()\n"),
    ("graph_in_total", TRAINED.replace("        optimizer.step()", "        loss = loss.item()").replace("ADD", "total += loss")),
    ("best_wrong_way", GOOD),
    ("best_wrong_way", GOOD.replace("loss", "acc").replace("<", ">").replace("float('inf')", "0")),
    ("best_wrong_way", GOOD.replace("def fit", "def attack").replace("<", ">").replace("float('inf')", "0")),
    ("best_wrong_way", GOOD.replace("loss", "score").replace("<", ">")),
    ("best_wrong_way", GOOD.replace("loss", "neg_loss").replace("<", ">").replace("float('inf')", "0")),
    ("best_wrong_way", 'a = EarlyStopping(monitor="val_loss")\nb = EarlyStopping(monitor="val_acc", mode="max")\n'
                       'c = EarlyStopping(monitor="val_acc")\nd = ModelCheckpoint(monitor="score", mode="min")\n'),
    ("best_wrong_way", 'a = TrainingArguments("o", metric_for_best_model="accuracy", greater_is_better=True)\n'),
    ("best_wrong_way", PLATEAU.replace("MADE", "optimizer, mode='max'")),
    ("best_wrong_way", PLATEAU.replace("MADE", "optimizer").replace("val_acc", "val_loss")),
    ("accuracy_only", "a = accuracy_score(y, p)\n"),
    ("accuracy_only", 'm = SVC(class_weight="balanced")\na = accuracy_score(y, p)\nb = f1_score(y, p)\n'),
    ("accuracy_only", "m = SVC(class_weight=None)\na = accuracy_score(y, p)\n"),
]  # fmt: skip


@pytest.mark.parametrize(("detector", "program"), CLEAN)
def test_silent(detector: str, program: str, found: Found) -> None:
    assert found(detector, program) == []


def test_accuracy_of_unequal_classes_is_told(found: Found) -> None:
    (finding,) = found(
        "accuracy_only", 'm = SVC(class_weight="balanced")\nm.fit(x, y)\nprint(accuracy_score(y, m.predict(x)))\n'
    )
    assert finding.action == "advise"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line", ["scores.append(f1_score(y, p))", "scores += f1_score(y, p)", "s = f1_score(y, p); scores.append(s)"]
)
def test_a_mean_of_scores_of_batches_is_told(line: str, found: Found) -> None:
    (finding,) = found("mean_of_batch_scores", BATCHES.replace("ADD", line).replace("END", "return mean(scores)"))
    assert finding.action == "advise"  # type: ignore[attr-defined]

"""Preprocessing that is fitted again on the data to be judged."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
HEAD = "import joblib\nimport torch\nfrom sklearn.impute import SimpleImputer\nfrom sklearn.preprocessing import StandardScaler\n\n"
FOLDS = "for train_index, test_index in folds.split(X):\n    scaler = StandardScaler()\n    a = scaler.fit_transform(X[train_index])\n"
SELF = (
    HEAD + "class Model:\n    def __init__(self):\n        self.scaler = StandardScaler()\n\n    def fit(self, X, y):\n"
    "        self.net.fit(self.scaler.fit_transform(X), y)\n\n    def predict(self, X):\n        return self.net.predict(self.scaler."
)
OWN = {
    "scale.py": "class Scale:\n    def __init__(self, mean=0.0):\n        self.mean = mean\n\n    def fit_transform(self, x):\n"
    "        self.mean = x.mean()\n        return self.transform(x)\n\n    def transform(self, x):\n        return x - self.mean\n",
}
LOADED = (
    "import torch\nfrom scale import Scale\n\ndef load(path):\n    state = torch.load(path)\n    return state['net'], "
    "Scale(**state['scale'])\n\ndef main(path, rows):\n    net, scale = load(path)\n    return net(scale."
)
BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "again on test": (
        HEAD + "scaler = StandardScaler()\nX_train = scaler.fit_transform(X_train)\nX_test = scaler.fit_transform(X_test)\n",
        HEAD + "scaler = StandardScaler()\nX_train = scaler.fit_transform(X_train)\nX_test = scaler.transform(X_test)\n",
    ),
    "as a statement": (
        HEAD + "sc = StandardScaler()\nsc.fit(x_train)\na = sc.transform(x_train)\nsc.fit(x_val)\nb = sc.transform(x_val)\n",
        HEAD + "sc = StandardScaler()\nsc.fit(x_train)\na = sc.transform(x_train)\nb = sc.transform(x_val)\n",
    ),
    "a second scaler": (
        HEAD + "s1 = StandardScaler()\ns2 = StandardScaler()\nx_train = s1.fit_transform(x_train)\nx_test = s2.fit_transform(x_test)\n",
        HEAD + "s1 = StandardScaler()\ns2 = StandardScaler()\nx_train = s1.fit_transform(x_train)\nx_test = s1.transform(x_test)\n",
    ),
    "without a name": (
        HEAD + "x_train = StandardScaler().fit_transform(x_train)\nx_test = StandardScaler().fit_transform(x_test)\n",
        HEAD + "scaler = StandardScaler()\nx_train = scaler.fit_transform(x_train)\nx_test = scaler.transform(x_test)\n",
    ),
    "columns of a frame": (
        HEAD + "imp = SimpleImputer()\ntrain_df[cols] = imp.fit_transform(train_df[cols])\ntest_df[cols] = imp.fit_transform(test_df[cols])\n",
        HEAD + "imp = SimpleImputer()\ntrain_df[cols] = imp.fit_transform(train_df[cols])\ntest_df[cols] = imp.transform(test_df[cols])\n",
    ),
    "in folds": (
        HEAD + FOLDS + "    b = scaler.fit_transform(X[test_index])\n",
        HEAD + FOLDS + "    b = scaler.transform(X[test_index])\n",
    ),
    "unpickled": (
        HEAD + "def main(path, rows):\n    scaler = joblib.load(path)\n    return scaler.fit_transform(rows)\n",
        HEAD + "def main(path, rows):\n    scaler = joblib.load(path)\n    return scaler.transform(rows)\n",
    ),
    "from a checkpoint": (
        HEAD + "def main(path, rows):\n    state = torch.load(path)\n    scaler = state['scaler']\n    return scaler.fit_transform(rows)\n",
        HEAD + "def main(path, rows):\n    state = torch.load(path)\n    scaler = state['scaler']\n    return scaler.transform(rows)\n",
    ),
    "on self": (SELF + "fit_transform(X))\n", SELF + "transform(X))\n"),
    "the project's own, made from a checkpoint": (
        {**OWN, "run.py": LOADED + "fit_transform(rows))\n"}, {**OWN, "run.py": LOADED + "transform(rows))\n"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("refitted_preprocessing", *BEFORE_AFTER[case])


CLEAN = {
    "transformed": HEAD + "s = StandardScaler()\nx_train = s.fit_transform(x_train)\nx_test = s.transform(x_test)\n",
    "inputs and targets": HEAD + "a = StandardScaler()\nb = StandardScaler()\nx_train = a.fit_transform(x_train)\n"
    "x_test = a.transform(x_test)\ny_train = b.fit_transform(y_train)\ny_test = b.transform(y_test)\n",
    "a retraining": HEAD + "def retrain(rows):\n    scaler = joblib.load('s')\n    return SVC().fit(scaler.fit_transform(rows), rows.y)\n",
    "a plot": "from sklearn.decomposition import PCA\nxy = PCA(2).fit_transform(x_test)\n",
    "an estimator": HEAD + "clf = SVC()\nclf.fit(x_train, y_train)\nclf.fit(x_test, y_test)\n",
    "labels": HEAD + "le = LabelEncoder()\ny_train = le.fit_transform(y_train)\ny_test = le.fit_transform(y_test)\n",
    "test columns of training data": HEAD + "s = StandardScaler()\na = s.fit_transform(train[old])\nb = s.fit_transform(train[test_columns])\n",
    "fitted in folds": HEAD + FOLDS + "    b = scaler.transform(X[test_index])\n",
    "nobody fitted it before": HEAD + "def predict(rows, scaler):\n    return scaler.fit_transform(rows)\n\n"
    "def main(rows):\n    return predict(rows, StandardScaler())\n",
    "a class without transform": "class Scaler:\n    def fit_transform(self, x):\n        return x / x.max()\n\n"
    "s = Scaler()\nx_train = s.fit_transform(x_train)\nx_test = s.fit_transform(x_test)\n",
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert [f.title for f in found("refitted_preprocessing", CLEAN[case])] == []

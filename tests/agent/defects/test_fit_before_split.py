"""Preprocessing that sees data it must not see."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
HEAD = "from sklearn.model_selection import train_test_split\nfrom sklearn.preprocessing import StandardScaler\n\n"
BEFORE_AFTER: dict[str, tuple[Program, Program]] = {
    "scaled in place": (
        HEAD + "scaler = StandardScaler()\nX = scaler.fit_transform(X)\nX_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)\n",
        HEAD + "scaler = StandardScaler()\nX_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)\n"
        "X_train = scaler.fit_transform(X_train)\nX_test = scaler.transform(X_test)\n",
    ),
    "under another name": (
        HEAD + "def prepare(X, y):\n    scaler = StandardScaler()\n    X_scaled = scaler.fit_transform(X)\n"
        "    a, b, c, d = train_test_split(X_scaled, y, test_size=0.2)\n    return a, b, c, d\n",
        HEAD + "def prepare(X, y):\n    scaler = StandardScaler()\n    a, b, c, d = train_test_split(X, y, test_size=0.2)\n"
        "    a = scaler.fit_transform(a)\n    b = scaler.transform(b)\n    return a, b, c, d\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended("refitted_preprocessing" if "again" in case else "fit_before_split", *BEFORE_AFTER[case])


CLEAN = {
    "split first": HEAD
    + "X_train, X_test = train_test_split(X)\nscaler = StandardScaler()\nX_train = scaler.fit_transform(X_train)\nX_test = scaler.transform(X_test)\n",
    "no split": HEAD + "X = StandardScaler().fit_transform(X)\nmodel.fit(X)\n",
    "labels": HEAD + "y = LabelEncoder().fit_transform(y)\nX_train, X_test, y_train, y_test = train_test_split(X, y)\n",
    "training data alone": HEAD + "def train(X):\n    scaler = StandardScaler()\n    X = scaler.fit_transform(X)\n    return X\n",
    "a pipeline": HEAD + "model = make_pipeline(StandardScaler(), SVC())\nmodel.fit_transform(X)\n",
    "two scalers": HEAD + "X_train = a.fit_transform(X_train)\ny_test = b.transform(y_test)\n",
    "validation part of the training": HEAD + "s = StandardScaler()\ntrain_x = s.fit_transform(train_x)\nval_train_x = s.fit_transform(val_train_x)\n",
    "fitted once, in a script that predicts": "def predict(train, test):\n    s = StandardScaler()\n    s.fit(train)\n    return s.transform(test)\n",
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert found("fit_before_split", CLEAN[case]) == []
    assert found("refitted_preprocessing", CLEAN[case]) == []

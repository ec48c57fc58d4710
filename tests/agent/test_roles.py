"""Who plays which part in training."""

from branchlab.agent.code_map import CodeMap, Role
from branchlab.agent.read import read_code


def names(code: CodeMap, role: Role) -> set[str]:
    return {f"{symbol.file}::{symbol.name}" for symbol in code.with_role(role)}


def read(**files: str) -> CodeMap:
    return read_code("c", {name.replace("__", "/") + ".py": text.encode() for name, text in files.items()})


def test_a_model_is_one_through_bases_in_other_files() -> None:
    code = read(
        base="import torch.nn as nn\n\n\nclass Base(nn.Module):\n    pass\n",
        model="from base import Base\n\n\nclass Net(Base):\n    pass\n\n\nclass Plain:\n    pass\n",
    )
    assert names(code, "model") == {"base.py::Base", "model.py::Net"}


def test_an_estimator_is_a_model_by_its_methods_and_a_factory_by_what_it_makes() -> None:
    code = read(
        m="from sklearn.linear_model import Ridge\n\n\n"
        "class Mean:\n    def fit(self, x):\n        pass\n\n    def predict(self, x):\n        pass\n\n\n"
        "def build_model(c):\n    return Ridge(alpha=c)\n\n\nclf = Ridge()\n"
    )
    assert names(code, "model") == {"m.py::Mean", "m.py::build_model", "m.py::clf"}


def test_a_training_step_is_backward_and_step_or_fit_of_a_model() -> None:
    code = read(
        t="def epoch(loss, opt):\n    loss.backward()\n    opt.step()\n\n\n"
        "class Scale:\n    def fit_transform(self, x):\n        return self.fit(x)\n\n\n"
        "def learn(clf, x):\n    clf.fit(x)\n\n\ndef scale(scaler, x):\n    return scaler.fit(x)\n\n\n"
        "def grad(loss):\n    loss.backward()\n"
    )
    assert names(code, "training_step") == {"t.py::epoch", "t.py::learn"}


def test_a_script_whose_top_level_code_trains_is_a_module_symbol() -> None:
    code = read(t="import torch\nopt = torch.optim.SGD([], lr=1)\nfor x in []:\n    x.backward()\n    opt.step()\n")
    (symbol,) = code.with_role("training_step")
    assert (symbol.name, symbol.kind) == ("", "module")
    assert names(code, "optimizer") == {"t.py::opt", "t.py::"}


def test_data_loss_and_evaluation() -> None:
    code = read(
        t="from torch import nn\nfrom torch.utils.data import DataLoader, Dataset\nfrom sklearn.metrics import f1_score\n\n\n"
        "class Digits(Dataset):\n    pass\n\n\nclass FocalLoss(nn.Module):\n    pass\n\n\n"
        "def loaders(d):\n    return DataLoader(d)\n\n\ndef evaluate(m):\n    m.eval()\n\n\n"
        "def quality(a, b):\n    return f1_score(a, b)\n"
    )
    assert names(code, "data") == {"t.py::Digits", "t.py::loaders"}
    assert names(code, "loss") == {"t.py::FocalLoss"}
    assert names(code, "model") == set()
    assert names(code, "evaluation") == {"t.py::evaluate", "t.py::quality"}


def test_a_file_called_evaluate_evaluates_whatever_its_functions_are_called() -> None:
    assert names(read(evaluate="def main():\n    pass\n", train="def main():\n    pass\n"), "evaluation") == {
        "evaluate.py::main"
    }


def test_tests_of_the_repository_do_not_evaluate_its_model() -> None:
    assert names(read(tests__test_a="def test_net():\n    pass\n"), "evaluation") == set()

"""Drafting a target.toml: it validates, it finds what the code shows, and it says what it does not know."""

import subprocess
import sys
from pathlib import Path

import pytest

from branchlab.agent.draft import draft_target
from branchlab.agent.draft_entry import find_entry
from branchlab.agent.draft_metric import find_metrics
from branchlab.agent.read import read_code
from branchlab.evals.metrics import score_of_log
from branchlab.targets.errors import UsageError
from branchlab.targets.scope import check_scope, matches
from branchlab.targets.target import Metric, Target, read_target

SCRIPT = """
import argparse

import torch

from model import Net


def train(model, loader, optimizer):
    for x, y in loader:
        loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", default="runs")
    parser.add_argument("--corpus", required=True)
    args = parser.parse_args()
    for epoch in range(3):
        train(Net(), [], None)
        print(f"epoch {epoch} | train loss {0.1:.3f}")
        print(f"epoch {epoch} | val accuracy {0.5 + epoch / 10:.3f} | took {epoch}s")
"""
FILES = {
    "train.py": SCRIPT,
    "model.py": "import torch\n\n\nclass Net(torch.nn.Module):\n    pass\n",
    "metrics.py": "def accuracy(a, b):\n    return 1.0\n",
    "tests/test_model.py": "def test_net():\n    pass\n",
    "setup.py": "from setuptools import setup\nsetup()\n",
}


def drafted(files: dict[str, str], folder: Path) -> tuple[str, Target]:
    code = read_code("c" * 40, {name: text.encode() for name, text in files.items()})
    text = draft_target(code, "mine", str(folder), "c" * 40)
    file = folder / "target.toml"
    file.write_text(text)
    target = read_target(file)
    check_scope(target, list(files))
    return text, target


def test_a_plain_repository(tmp_path: Path) -> None:
    text, target = drafted(FILES, tmp_path)
    assert target.steps.train == ("python", "train.py", "--seed", "{seed}", "--output-dir", "{out}")
    assert (target.metric.name, target.metric.direction) == ("val_accuracy", "maximize")
    assert target.editable == ("train.py", "model.py")
    assert {"metrics.py", "tests/test_model.py"} <= set(target.protected)
    assert target.commit == "c" * 40
    assert "CHECK: the script wants a value for --corpus" in text
    assert "the code imports torch" in text
    assert target.integrity == "same-process"


def test_editable_never_holds_what_no_candidate_may_touch(tmp_path: Path) -> None:
    _, target = drafted({**FILES, "model.py": "import setup\nimport conftest\n", "conftest.py": "x = 1\n"}, tmp_path)
    assert not any(matches(file, target.editable) for file in ("setup.py", "conftest.py", "metrics.py"))


def test_an_option_that_names_a_file_gets_one(tmp_path: Path) -> None:
    script = SCRIPT.replace('"--output-dir", default="runs"', '"--save-path", default="weights/model.pt"')
    _, target = drafted({**FILES, "train.py": script}, tmp_path)
    assert target.steps.train[-2:] == ("--save-path", "{out}/model.pt")


def test_a_metrics_file_wins_over_what_is_printed(tmp_path: Path) -> None:
    script = (
        SCRIPT + '    json.dump({"test_loss": 0.1, "epochs": 3}, open(f"{args.output_dir}/" + "metrics.json", "w"))\n'
    )
    _, target = drafted({**FILES, "train.py": "import json\n" + script}, tmp_path)
    assert (target.metric.name, target.metric.direction, target.metric.file) == (
        "test_loss",
        "minimize",
        "metrics.json",
    )
    assert target.metric.stdout is None


def test_no_seed_option_is_said(tmp_path: Path) -> None:
    plain = SCRIPT.replace('    parser.add_argument("--seed", type=int, default=0)\n', "")
    text, target = drafted({**FILES, "train.py": plain}, tmp_path)
    assert "{seed}" not in target.steps.train
    assert "runs differ by luck only" in text
    fixed, _ = drafted(
        {**FILES, "train.py": plain.replace("import torch\n", "import torch\ntorch.manual_seed(1)\n")}, tmp_path
    )
    assert "fixes the seed itself (train.py:5 (torch.manual_seed))" in fixed


def test_no_metric_is_said_and_the_draft_still_validates(tmp_path: Path) -> None:
    script = "".join(line for line in SCRIPT.splitlines(keepends=True) if "print" not in line)
    text, _ = drafted({**FILES, "train.py": script}, tmp_path)
    assert "NO METRIC WAS FOUND" in text


def test_a_training_metric_alone_is_warned_of(tmp_path: Path) -> None:
    script = "".join(line for line in SCRIPT.splitlines(keepends=True) if "val accuracy" not in line)
    text, target = drafted({**FILES, "train.py": script}, tmp_path)
    assert target.metric.name == "train_loss"
    assert "looks like a TRAINING metric" in text


def test_a_package_run_from_a_folder_of_scripts(tmp_path: Path) -> None:
    files = {
        "lib/__init__.py": "",
        "lib/trainer.py": "class Trainer:\n    def run(self, loss, optimizer):\n        loss.backward()\n        optimizer.step()\n",
        "scripts/go.py": "import sys\nfrom ast import literal_eval\nfrom lib.trainer import Trainer\n\n\ndef settings(C):\n"
        "    C.system.seed = 1\n    C.system.work_dir = 'out'\n\n\nif __name__ == '__main__':\n    settings(0).merge_from_args(sys.argv)\n"
        "    literal_eval('1')\n    print('test error: %.2f' % 0.5)\n",
    }
    _, target = drafted(files, tmp_path)
    assert target.steps.train == ("python", "scripts/go.py", "--system.seed={seed}", "--system.work_dir='{out}'")
    assert target.environment.path == (".",)
    assert target.metric.direction == "minimize"


def test_hostile_names_stay_inside_their_strings(tmp_path: Path) -> None:
    odd = 'tr"ain\\.py'
    code = read_code("c" * 40, {odd: SCRIPT.encode(), "model.py": b"class Net:\n    pass\n"})
    (tmp_path / "target.toml").write_text(draft_target(code, "mine", str(tmp_path), "c" * 40))
    assert read_target(tmp_path / "target.toml").steps.train[1] == odd


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"README.md": "hello"}, "no Python file"),
        ({}, "no Python file"),
        ({"a.py": "def f(:\n"}, "syntax error at line 1"),
        ({"a.py": "x = 1\n", "b.py": "def f():\n    pass\n"}, "found a.py, b.py"),
        ({"lib.py": "def train(loss, o):\n    loss.backward()\n    o.step()\n"}, "no script that trains"),
    ],
)
def test_a_repository_without_an_entry_point_is_a_clear_error(files: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        draft_target(read_code("c", {k: v.encode() for k, v in files.items()}), "x", "r", "c")


def test_the_script_that_trains_is_chosen_among_many() -> None:
    train = SCRIPT.encode()
    files = {
        "train.py": train, "predict.py": train, "generate.py": train, "examples/train.py": train, "tests/train.py": train,
        "model.py": b"", "notes.py": b"x = 1\n",
    }  # fmt: skip
    entry = find_entry(read_code("c", files))
    assert entry.file == "train.py"
    assert "tests/train.py" not in entry.others


PRINTS = [
    ('print(f"epoch {3} loss {9.5:.2f} test acc: {0.9312:>8.4f}")', "test_acc", "maximize", 0.9312),
    ('print(f"val_loss={1.5e-7}")', "val_loss", "minimize", 1.5e-7),
    ('print("Test set: Average loss: {:.4f}, Accuracy: {}/{}".format(0.25, 9, 10))', "test_loss", "minimize", 0.25),
    ('print("%s final score: %d/%d = %.2f%%" % ("test", 7, 10, 70.0))', "score", "maximize", 7.0),
    ('print("validation F1", 0.5)', "validation_f", "maximize", 0.5),
    ('print("AUC: " + str(0.75))', "auc", "maximize", 0.75),
    ('print(f"  ppl     {12.5}  ")', "ppl", "minimize", 12.5),
    ('print(f"test {1+1} rmse ({0.125})")', "rmse", "minimize", 0.125),
    ("recall = 0.25\nprint(recall)", "recall", "maximize", 0.25),
    ('print(f"a\\ntest mae: {2.5}\\nb")', "test_mae", "minimize", 2.5),
    ('print(f"[{3}] (100%) test error = {0.5}")', "test_error", "minimize", 0.5),
]


@pytest.mark.parametrize(("code", "name", "direction", "value"), PRINTS)
def test_the_expression_finds_the_number_the_program_prints(code: str, name: str, direction: str, value: float) -> None:
    best = find_metrics(read_code("c", {"a.py": code.encode()}), ["a.py"])[0]
    assert (best.direction, best.stdout is not None) == (direction, True)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    log = f"loss 77 accuracy 88\n{printed}trailing line 99\n"
    assert score_of_log(log, Metric(name=best.name, direction=best.direction, stdout=best.stdout)).value == value


@pytest.mark.parametrize(
    "code", ['print(f"step {1}")', 'print(f"loss took {2} ms")', 'print("loss")', 'print(f"lr {0.1}")', "print(1)"]
)
def test_what_is_no_metric_is_not_taken_for_one(code: str) -> None:
    assert find_metrics(read_code("c", {"a.py": code.encode()}), ["a.py"]) == ()


def test_the_last_and_held_out_metric_is_preferred_to_the_luckiest_moment() -> None:
    source = 'print(f"train loss {1}")\nprint(f"test loss {2}")\nprint(f"saving: best test loss {3}")\nprint(f"batch loss {4}")\n'
    first = find_metrics(read_code("c", {"a.py": source.encode()}), ["a.py"])[0]
    assert first.where == "a.py:2"

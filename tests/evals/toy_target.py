"""A pure-Python project with three steps, small enough to run in milliseconds, and its judge."""

import json
import os
from pathlib import Path

import pytest

from branchlab.evals.judge import Judge
from branchlab.sandbox import backends, environments
from branchlab.sandbox.runner import Runner
from branchlab.sandbox.unconfined import Unconfined
from branchlab.targets.errors import SandboxError
from branchlab.targets.target import Target, read_target

TRAIN = """
import json, pathlib, sys
data, out, seed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
rows = json.loads(data.read_text())
(out / "model.json").write_text(json.dumps({"slope": sum(y for _, y in rows) / sum(x for x, _ in rows), "seed": seed}))
print("trained")
"""
PREDICT = """
import json, pathlib, sys
model, inputs, out = map(pathlib.Path, sys.argv[1:4])
slope = json.loads((model / "model.json").read_text())["slope"]
(out / "predictions.json").write_text(json.dumps([slope * x for x in json.loads(inputs.read_text())]))
"""
SCORE = """
import json, pathlib, sys
predictions, labels, out = map(pathlib.Path, sys.argv[1:4])
found, wanted = json.loads((predictions / "predictions.json").read_text()), json.loads(labels.read_text())
right = [float(abs(f - w) < 0.5) for f, w in zip(found, wanted, strict=True)]
metrics = {"accuracy": sum(right) / len(right), "per_example": right, "rows": len(right), "nonce": sys.argv[4]}
(out / "metrics.json").write_text(json.dumps(metrics))
"""
STEPS = """
[steps]
train = ["python", "train.py", "{data}", "{out}", "{seed}"]
predict = ["python", "predict.py", "{model}", "{inputs}", "{out}"]
score = ["python", "score.py", "{predictions}", "{labels}", "{out}", "{nonce}"]
[splits]
search = { inputs = "data/search_x.json", labels = "data/search_y.json" }
confirm = { inputs = "data/confirm_x.json", labels = "data/confirm_y.json" }
sealed = { inputs = "data/sealed_x.json", labels = "data/sealed_y.json" }
"""
SAME_PROCESS = """
[steps]
train = ["python", "train.py", "{data}", "{out}", "{seed}"]
"""
COMMIT = "c" * 40


def sandboxed() -> Runner:
    """bubblewrap; a skip where it cannot run, or a failure where the environment says that it must."""
    try:
        return backends.choose("bubblewrap")
    except SandboxError as error:
        if os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(str(error))


class Toy:
    """`tree` is the candidate, free to be spoiled; `pristine` is the base commit's tree."""

    def __init__(self, folder: Path, *, steps: str = STEPS, metric: str = "", runner: Runner | None = None) -> None:
        self.folder = folder
        self.tree, self.pristine = folder / "tree", folder / "pristine"
        for tree in (self.tree, self.pristine):
            tree.mkdir()
            for name, text in (("train.py", TRAIN), ("predict.py", PREDICT), ("score.py", SCORE)):
                (tree / name).write_text(text)
        self._write_data(folder / "data")
        (folder / "target.toml").write_text(
            f'name = "toy"\ndata = "data/train.json"\neditable = ["train.py", "predict.py"]\n{steps}\n'
            f'[metric]\nname = "accuracy"\ndirection = "maximize"\n{metric}\n[limits]\ntimeout = 120\ndisk_mb = 64\n'
        )
        self.target: Target = read_target(folder / "target.toml")
        self.runner = runner or Unconfined()
        self.judge = self.new_judge()

    def new_judge(self) -> Judge:
        scratch, models = self.folder / "scratch", self.folder / "models"
        return Judge(self.target, self.runner, environments.find(), self.pristine, scratch, models)

    def renew(self) -> "Toy":
        """The same with a new judge, after the evaluator or the target was changed."""
        self.judge = self.new_judge()
        return self

    def _write_data(self, data: Path) -> None:
        data.mkdir()
        (data / "train.json").write_text(json.dumps([[x, 3 * x] for x in range(1, 20)]))
        for number, split in enumerate(("search", "confirm", "sealed")):
            inputs = [10 * number + x for x in range(1, 9)]
            (data / f"{split}_x.json").write_text(json.dumps(inputs))
            # The last label is wrong, so that a perfect model has 7 of 8.
            (data / f"{split}_y.json").write_text(json.dumps([3 * x for x in inputs[:-1]] + [-1]))

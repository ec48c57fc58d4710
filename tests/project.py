"""A user's project in miniature: a git repository with a real, tiny training in pure Python, and its target.toml.

A linear classifier of points in the plane whose `features` forgets the second coordinate: no tuning can mend that.
"""

import json
import random
import subprocess
from pathlib import Path

TRAIN = '''"""Trains the classifier: train.py DATA OUT SEED."""

import json
import math
import pathlib
import random
import sys

from model import features, score

LEARNING_RATE = 0.05
EPOCHS = 4


def fit(rows, seed):
    rng = random.Random(seed)
    weights = [rng.uniform(-0.1, 0.1) for _ in features(rows[0][0])]
    for _ in range(EPOCHS):
        rng.shuffle(rows)
        for point, label in rows:
            error = 1 / (1 + math.exp(-score(weights, point))) - label
            weights = [w - LEARNING_RATE * error * f for w, f in zip(weights, features(point))]
    return weights


if __name__ == "__main__":
    data, out, seed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    (out / "model.json").write_text(json.dumps(fit(json.loads(data.read_text()), seed)))
'''
MODEL = """def features(point):
    return [point[0], 1.0]


def score(weights, point):
    return sum(w * f for w, f in zip(weights, features(point)))
"""
PREDICT = """import json
import pathlib
import sys

from model import score

model, inputs, out = map(pathlib.Path, sys.argv[1:4])
weights = json.loads((model / "model.json").read_text())
(out / "predictions.json").write_text(json.dumps([int(score(weights, p) > 0) for p in json.loads(inputs.read_text())]))
"""
SCORE = """import json
import pathlib
import sys

predictions, labels, out, nonce = *map(pathlib.Path, sys.argv[1:4]), sys.argv[4]
found = json.loads((predictions / "predictions.json").read_text())
wanted = json.loads(labels.read_text())
right = [float(f == w) for f, w in zip(found, wanted, strict=True)]
result = {"accuracy": sum(right) / len(right), "per_example": right, "nonce": nonce}
(out / "metrics.json").write_text(json.dumps(result))
"""
MANIFEST = """
name = "points"
repo = "repo"
data = "data/train.json"
editable = ["train.py", "model.py", "predict.py"]
protected = ["score.py"]
[steps]
train = ["python", "train.py", "{data}", "{out}", "{seed}"]
predict = ["python", "predict.py", "{model}", "{inputs}", "{out}"]
score = ["python", "score.py", "{predictions}", "{labels}", "{out}", "{nonce}"]
[metric]
name = "accuracy"
direction = "maximize"
[splits]
search = { inputs = "data/search_x.json", labels = "data/search_y.json" }
confirm = { inputs = "data/confirm_x.json", labels = "data/confirm_y.json" }
sealed = { inputs = "data/sealed_x.json", labels = "data/sealed_y.json" }
[seeds]
search = [0, 1]
confirm = [100, 101, 102, 103, 104, 105, 106, 107]
[limits]
timeout = "20s"
memory_mb = 512
disk_mb = 64
"""
WHOLE = "def features(point):\n    return [point[0], point[1], 1.0]\n"


def answer(title: str, file: str, symbol: str) -> dict[str, object]:
    """A proposal as a language model writes it: replace one function by `WHOLE`."""
    edit = {"operator": "replace_function", "file": file, "symbol": symbol, "arguments": {"code": WHOLE}}
    why = "features() ignores the second coordinate of every point."
    return {"kind": "bug_fix", "title": title, "rationale": why, "edits": [edit]}


FIX = answer("Use both coordinates", "model.py", "features")
SNEAKY = answer("Grade myself", "score.py", "features")


def git(repo: Path, *words: str) -> str:
    command = [
        "git",
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "init.defaultBranch=main",
        *words,
    ]
    return subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True).stdout.strip()


def make_project(folder: Path, *, files: dict[str, str] | None = None, manifest: str = MANIFEST) -> Path:
    """The folder that holds target.toml, data/ and repo/, a git repository with one commit."""
    repo, data = folder / "repo", folder / "data"
    repo.mkdir(parents=True)
    data.mkdir()
    code = {"train.py": TRAIN, "model.py": MODEL, "predict.py": PREDICT, "score.py": SCORE, **(files or {})}
    for name, text in code.items():
        (repo / name).write_text(text)
    git(repo, "init", "-q")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "Classify points")
    rng = random.Random(7)
    for name, size in (("train", 120), ("search", 150), ("confirm", 150), ("sealed", 150)):
        points = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(size)]
        labels = [int(x + y + rng.gauss(0, 0.3) > 0) for x, y in points]
        if name == "train":
            (data / "train.json").write_text(json.dumps(list(zip(points, labels, strict=True))))
        else:
            (data / f"{name}_x.json").write_text(json.dumps(points))
            (data / f"{name}_y.json").write_text(json.dumps(labels))
    (folder / "target.toml").write_text(manifest)
    return folder


def write_answers(path: Path, *answers: object) -> str:
    """A `--model` name for a scripted model that gives these answers, then has no more ideas."""
    path.write_text(json.dumps([*answers, *[{"proposals": []}] * 40]))
    return f"scripted:{path}"

"""A user's project in miniature, pure Python, whose training does as much work as a benchmark asks for."""

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

TRAIN = '''"""Fits a line through points: train.py DATA OUT SEED."""

import json
import pathlib
import random
import sys

from model import features, score
from work import busy

LEARNING_RATE = 0.05
MOMENTUM = 0.5
PASSES = 4


def fit(rows, seed):
    rng = random.Random(seed)
    weights = [rng.uniform(-0.1, 0.1) for _ in features(rows[0][0])]
    speed = [0.0 for _ in weights]
    for _ in range(PASSES):
        rng.shuffle(rows)
        for point, wanted in rows:
            error = score(weights, point) - wanted
            speed = [MOMENTUM * s - LEARNING_RATE * error * f for s, f in zip(speed, features(point))]
            weights = [w + s for w, s in zip(weights, speed)]
    return weights


if __name__ == "__main__":
    data, out, seed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    busy()
    (out / "model.json").write_text(json.dumps(fit(json.loads(data.read_text()), seed)))
'''
WORK = """ROUNDS = {rounds}


def busy():
    value = 1
    for _ in range(ROUNDS):
        value = (value * 1103515245 + 12345) % 2147483648
    return value
"""
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
(out / "predictions.json").write_text(json.dumps([score(weights, p) for p in json.loads(inputs.read_text())]))
"""
SCORE = """import json
import pathlib
import sys

predictions, labels, out, nonce = *map(pathlib.Path, sys.argv[1:4]), sys.argv[4]
found = json.loads((predictions / "predictions.json").read_text())
wanted = json.loads(labels.read_text())
errors = [(f - w) ** 2 for f, w in zip(found, wanted, strict=True)]
(out / "metrics.json").write_text(json.dumps({"mse": sum(errors) / len(errors), "nonce": nonce}))
"""
MANIFEST = """name = "small"
repo = "repo"
data = "data/train.json"
editable = ["train.py", "model.py", "predict.py"]
protected = ["score.py", "work.py"]
[steps]
train = ["python", "train.py", "{data}", "{out}", "{seed}"]
predict = ["python", "predict.py", "{model}", "{inputs}", "{out}"]
score = ["python", "score.py", "{predictions}", "{labels}", "{out}", "{nonce}"]
[metric]
name = "mse"
direction = "minimize"
[splits]
search = { inputs = "data/search_x.json", labels = "data/search_y.json" }
confirm = { inputs = "data/confirm_x.json", labels = "data/confirm_y.json" }
sealed = { inputs = "data/sealed_x.json", labels = "data/sealed_y.json" }
[seeds]
search = [0]
confirm = [100, 101, 102, 103, 104, 105, 106, 107]
[limits]
timeout = "60s"
memory_mb = 512
disk_mb = 64
"""


def make_project(folder: Path, *, rounds: int = 0) -> Path:
    """Path of target.toml; beside it data/ and repo/, a git repository with one commit.

    `rounds` is the fixed work of one training, beside which the rest is nothing; see `rounds_in`.
    """
    repo, data = folder / "repo", folder / "data"
    repo.mkdir(parents=True)
    data.mkdir()
    code = {"train.py": TRAIN, "model.py": MODEL, "predict.py": PREDICT, "score.py": SCORE}
    for name, text in {**code, "work.py": WORK.format(rounds=rounds)}.items():
        (repo / name).write_text(text)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Fit a line"]):
        subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words], cwd=repo, check=True)
    rng = random.Random(7)  # noqa: S311  (data, not a secret)
    for name, size in (("train", 120), ("search", 150), ("confirm", 150), ("sealed", 150)):
        points = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(size)]
        wanted = [x + y + rng.gauss(0, 0.3) for x, y in points]
        if name == "train":
            (data / "train.json").write_text(json.dumps(list(zip(points, wanted, strict=True))))
        else:
            (data / f"{name}_x.json").write_text(json.dumps(points))
            (data / f"{name}_y.json").write_text(json.dumps(wanted))
    manifest = folder / "target.toml"
    manifest.write_text(MANIFEST)
    return manifest


def rounds_in(seconds: float) -> int:
    """Rounds of work that take about that many CPU seconds on this machine."""
    known: dict[str, Any] = {}
    exec(WORK.format(rounds=2_000_000), known)  # noqa: S102  (the text above)
    known["busy"]()
    started = time.process_time()
    known["busy"]()
    return int(2_000_000 * seconds / (time.process_time() - started))

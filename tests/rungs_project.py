"""The user's project in miniature of `project.py`, whose training takes its length from the command line.

Its score rises with STRENGTH at every length, so short runs rank like full ones; large learning rates diverge at once.
"""

from pathlib import Path

from .project import MANIFEST, MODEL, WHOLE, make_project

TRAIN = '''"""Trains the classifier: train.py DATA OUT SEED EPOCHS."""

import json
import pathlib
import random
import sys

STRENGTH = 0.1
LEARNING_RATE = 0.1


def fit(seed, epochs):
    if LEARNING_RATE > 0.4:
        raise SystemExit("diverged")
    luck = random.Random(seed).uniform(-0.01, 0.01)
    return [1.0, STRENGTH * epochs / (epochs + 1) + luck, 0.0]


if __name__ == "__main__":
    out, seed, epochs = pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    (out / "model.json").write_text(json.dumps(fit(seed, epochs)))
'''
RUNGS = MANIFEST.replace('"{seed}"]\npredict', '"{seed}", "{length}"]\npredict').replace("[0, 1]", "[0]")
RUNGS = RUNGS.replace("[100, 101, 102, 103, 104, 105]", "[100, 101, 102]")
RUNGS += "[rungs]\nsmoke = 1\nshort = 2\nfull = 6\nscale_up = 2\n"


def make(folder: Path, *, manifest: str = RUNGS) -> Path:
    """The project's folder."""
    files = {"train.py": TRAIN, "model.py": WHOLE + MODEL.partition("\n\n\n")[2].join(("\n\n", ""))}
    return make_project(folder, files=files, manifest=manifest)

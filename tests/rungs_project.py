"""The user's project in miniature of `project.py`, whose training takes its number of epochs from the command line."""

from pathlib import Path

from .project import MANIFEST, TRAIN, make_project

EPOCHS = TRAIN.replace("\nEPOCHS = 4\n", "\n").replace("def fit(rows, seed):", "def fit(rows, seed, epochs):")
EPOCHS = EPOCHS.replace("range(EPOCHS)", "range(epochs)").replace(
    "int(sys.argv[3])\n", "int(sys.argv[3])\n    epochs = int(sys.argv[4])\n"
)
EPOCHS = EPOCHS.replace("seed)))\n", "seed, epochs)))\n")
RUNGS = MANIFEST.replace('"{seed}"]\npredict', '"{seed}", "{length}"]\npredict').replace("[0, 1]", "[0]")
RUNGS = RUNGS.replace("[100, 101, 102, 103, 104, 105]", "[100, 101, 102]")
RUNGS += "[rungs]\nsmoke = 1\nshort = 2\nfull = 6\nscale_up = 2\n"


def make(folder: Path, *, manifest: str = RUNGS, train: str = EPOCHS) -> Path:
    return make_project(folder, files={"train.py": train}, manifest=manifest)

"""Writes data/ from the UCI digits that ship inside scikit-learn (1,797 different images of 8x8 pixels, values 0 to 16).

    python make_data.py

The split is one shuffle from a fixed seed, and npz members carry no date: the files come out the same every time.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

SEED = 2024
SIZES = {"train": 600, "search": 350, "confirm": 400, "sealed": 400}
FOLDER = Path(__file__).parent / "data"


def main() -> None:
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    order = np.random.default_rng(SEED).permutation(len(labels))

    FOLDER.mkdir(exist_ok=True)
    start = 0
    for split, size in SIZES.items():
        rows = order[start : start + size]
        start += size
        if split == "train":
            np.savez_compressed(FOLDER / "train.npz", images=images[rows], labels=labels[rows])
        else:
            np.savez_compressed(FOLDER / f"{split}_images.npz", images=images[rows])
            np.savez_compressed(FOLDER / f"{split}_labels.npz", labels=labels[rows])


if __name__ == "__main__":
    main()

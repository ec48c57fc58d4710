"""Accuracy of predictions.npz against the true labels, written to metrics.json.

    python evaluate.py --predictions predictions.npz --labels labels.npz --out runs/first

Reads files only: no model, no training code. Exits with an error when the predictions cannot be scored.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

import numpy as np


def read_labels(path):
    """The array `labels` of an npz file: one integer per image, never pickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            labels = archive["labels"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        sys.exit(f"cannot read labels from {path}: {error}")
    if not np.issubdtype(labels.dtype, np.integer):
        sys.exit(f"{path}: labels must be integers, not {labels.dtype}")
    if labels.ndim != 1 or len(labels) == 0:
        sys.exit(f"{path}: labels must be one per image, not of shape {labels.shape}")
    return labels


def main():
    parser = argparse.ArgumentParser(description="Score predictions.")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json")
    parser.add_argument("--nonce", default="", help="copied into metrics.json")
    args = parser.parse_args()

    labels = read_labels(args.labels)
    predictions = read_labels(args.predictions)
    if predictions.shape != labels.shape:
        sys.exit(f"{len(predictions)} predictions for {len(labels)} labels")

    correct = predictions == labels
    metrics = {
        "accuracy": float(correct.mean()),
        "per_example": correct.astype(int).tolist(),
        "nonce": args.nonce,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    main()

"""Scores recommendations against held-out links.

    python evaluate.py --predictions predictions --labels ../data/labels/search.npz --out scores --nonce 1

Reads two npz files and nothing else: no model, no training data. Metrics follow Liang et al. 2018: Recall@k divides
by min(k, held-out links), NDCG@100 by the best order possible.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

TOP = 100


def load_labels(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as links:
        return np.split(links["indices"].astype(np.int64), links["indptr"][1:-1])


def load_predictions(path: Path, n_rows: int) -> np.ndarray:
    """Item numbers, rows x TOP, best first. ValueError when they are anything else."""
    with np.load(path, allow_pickle=False) as predictions:
        items = predictions["items"]
    if not np.issubdtype(items.dtype, np.integer) or items.shape != (n_rows, TOP):
        raise ValueError(f"wanted {n_rows} x {TOP} item numbers, found {items.dtype} of shape {items.shape}")
    if (np.diff(np.sort(items, axis=1), axis=1) == 0).any():
        raise ValueError("a row recommends one item twice")
    return items


def recall(hits: np.ndarray, held_out: np.ndarray, k: int) -> np.ndarray:
    return hits[:, :k].sum(axis=1) / np.minimum(held_out, k)


def ndcg(hits: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    discounts = 1.0 / np.log2(np.arange(2, TOP + 2))
    best = np.cumsum(discounts)[np.minimum(held_out, TOP) - 1]
    return (hits * discounts).sum(axis=1) / best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--predictions", type=Path, required=True, help="folder written by predict.py")
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nonce", default="")
    args = parser.parse_args()

    labels = load_labels(args.labels)
    try:
        items = load_predictions(args.predictions / "predictions.npz", len(labels))
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"predictions.npz: {error}")
    hits = np.array([np.isin(row, truth) for row, truth in zip(items, labels)])
    held_out = np.array([len(truth) for truth in labels])
    per_row = ndcg(hits, held_out)
    metrics = {
        "ndcg@100": float(per_row.mean()),
        "recall@20": float(recall(hits, held_out, 20).mean()),
        "recall@50": float(recall(hits, held_out, 50).mean()),
        "per_example": per_row.tolist(),
        "nonce": args.nonce,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "metrics.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    main()

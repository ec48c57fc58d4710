"""Recommends dependencies: the 100 best items of each row that the row does not have yet.

    python predict.py --model runs/0 --inputs ../data/inputs/search.npz --out predictions
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from data import load_matrix
from model import DeepAutoencoder

TOP = 100


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True, help="folder written by train.py")
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    config = json.loads((args.model / "config.json").read_text())
    model = DeepAutoencoder(**config)
    with np.load(args.model / "weights.npz", allow_pickle=False) as weights:
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    model.eval()

    matrix = torch.from_numpy(load_matrix(args.inputs, config["n_items"]))
    with torch.no_grad():
        scores = model(matrix)
    scores[matrix > 0] = -torch.inf
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez(args.out / "predictions.npz", items=scores.topk(TOP).indices.numpy().astype(np.int32))


if __name__ == "__main__":
    main()

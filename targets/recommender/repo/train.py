"""Trains the autoencoder.

    python train.py --data ../data/train --out runs/0 --seed 0
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from data import load_matrix, load_names
from model import DeepAutoencoder

HIDDEN_SIZE = 600
BOTTLENECK_SIZE = 200
ACTIVATION = "tanh"
DROPOUT = 0.0
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.0
BATCH_SIZE = 128
EPOCHS = 10


def fit(model: nn.Module, matrix: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    criterion = nn.MSELoss()
    model.train()
    for epoch in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(matrix)).split(BATCH_SIZE):
            batch = matrix[rows]
            loss = criterion(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1:3d}  loss {total / len(matrix):.5f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="folder with links.npz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    n_items = len(load_names(args.data / "links.npz"))
    matrix = torch.from_numpy(load_matrix(args.data / "links.npz", n_items))
    config = {
        "n_items": n_items,
        "hidden": [HIDDEN_SIZE, BOTTLENECK_SIZE, HIDDEN_SIZE],
        "activation": ACTIVATION,
        "dropout": DROPOUT,
    }
    model = DeepAutoencoder(**config)
    fit(model, matrix)

    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(config))
    np.savez(args.out / "weights.npz", **{name: value.numpy() for name, value in model.state_dict().items()})


if __name__ == "__main__":
    main()

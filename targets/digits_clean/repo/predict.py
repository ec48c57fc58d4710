"""Writes the predicted digit of every image to predictions.npz.

    python predict.py --model runs/first/model.pt --inputs images.npz --out runs/first
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from data import Standardizer, load_images
from model import DigitNet


def load_model(path):
    """The trained network and the scaler that goes with it."""
    checkpoint = torch.load(path, weights_only=True)
    model = DigitNet(**checkpoint["network"])
    model.load_state_dict(checkpoint["weights"])
    return model, Standardizer(**checkpoint["scaler"])


def predict(model, images, batch_size=256):
    model.eval()
    batches = []
    with torch.no_grad():
        for batch in images.split(batch_size):
            batches.append(model(batch).argmax(dim=1))
    return torch.cat(batches).numpy()


def main():
    parser = argparse.ArgumentParser(description="Predict digits.")
    parser.add_argument("--model", type=Path, required=True, help="model.pt written by train.py")
    parser.add_argument("--inputs", type=Path, required=True, help="npz file with images")
    parser.add_argument("--out", type=Path, required=True, help="folder for predictions.npz")
    args = parser.parse_args()

    model, scaler = load_model(args.model)
    images = scaler.transform(load_images(args.inputs))

    args.out.mkdir(parents=True, exist_ok=True)
    np.savez(args.out / "predictions.npz", labels=predict(model, images).astype(np.int64))


if __name__ == "__main__":
    main()

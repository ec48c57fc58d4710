"""Trains the classifier and writes model.pt.

    python train.py --data train.npz --out runs/first --seed 0
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from data import Standardizer, load_images, load_labels, training_loader
from model import DigitNet


def parse_args():
    parser = argparse.ArgumentParser(description="Train the digit classifier.")
    parser.add_argument("--data", type=Path, required=True, help="npz file with images and labels")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.pt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--dropout", type=float, default=0.3)
    return parser.parse_args()


def train_epoch(model, loader, criterion, optimizer):
    """One pass over the data; returns the mean loss per example."""
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


def main():
    args = parse_args()
    torch.manual_seed(args.seed)

    scaler = Standardizer()
    images = scaler.fit_transform(load_images(args.data))
    loader = training_loader(images, load_labels(args.data), args.batch_size, args.seed)

    model = DigitNet(args.channels, args.hidden, args.dropout)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.lr, momentum=args.momentum, weight_decay=args.weight_decay
    )
    for epoch in range(1, args.epochs + 1):
        loss = train_epoch(model, loader, criterion, optimizer)
        if epoch % 10 == 0 or epoch == args.epochs:
            print(f"epoch {epoch:3d}  loss {loss:.4f}")

    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "network": {"channels": args.channels, "hidden": args.hidden, "dropout": args.dropout},
        "scaler": {"mean": scaler.mean, "std": scaler.std},
        "weights": model.state_dict(),
    }
    torch.save(checkpoint, args.out / "model.pt")


if __name__ == "__main__":
    main()

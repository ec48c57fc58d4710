"""Keywords for the metric reach it in either mode."""

import torch
from case import load, settle

module = load("src/torchmetrics/functional/audio/pit.py", root="src", whole=True)
seen = []


def metric(preds, target, scale=1.0):
    seen.append(scale)
    return (preds - target).abs().mean(dim=-1) * scale


module.permutation_invariant_training(
    torch.randn(2, 2, 5), torch.randn(2, 2, 5), metric, mode="permutation-wise", scale=3.0
)
settle(seen != [3.0])

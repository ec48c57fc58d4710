"""The hardest negative of a descriptor is not its own match: with equal pairs the margin is not zero."""

import torch
from case import load, settle

module = load("src/pytorch_metric_learning/losses/dynamic_soft_margin_loss.py", root="src")
torch.manual_seed(0)
embeddings = torch.randn(6, 4)
margin = module.DynamicSoftMarginLoss().compute_loss_without_labels(embeddings, None, None, embeddings.clone(), None)
settle(margin.abs().max() < 1e-2)

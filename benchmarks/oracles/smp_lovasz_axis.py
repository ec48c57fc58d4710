"""Each row is one pixel's probabilities: it adds up to one."""

import torch
from case import load, settle

flatten = load("segmentation_models_pytorch/losses/lovasz.py")._flatten_probas
rows, _ = flatten(torch.randn(2, 3, 4, 4).softmax(dim=1), torch.zeros(2, 4, 4, dtype=torch.long))
settle(not torch.allclose(rows.sum(dim=1), torch.ones(len(rows))))

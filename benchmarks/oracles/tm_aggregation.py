"""An aggregation of one's own is called."""

import torch
from case import load, settle

aggregate = load("src/torchmetrics/retrieval/base.py", root="src", whole=True)._retrieval_aggregate
settle(float(aggregate(torch.tensor([1.0, 5.0]), lambda values, dim: values.sum())) != 6.0)

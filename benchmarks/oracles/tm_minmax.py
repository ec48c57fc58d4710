"""After a reset the least value that was seen before it is forgotten."""

import torch
from case import load, settle

module = load("src/torchmetrics/wrappers/minmax.py", root="src", whole=True)
from torchmetrics import MeanMetric  # noqa: E402 - only importable once the folder is on the path

metric = module.MinMaxMetric(MeanMetric())
metric.update(torch.tensor(1.0))
metric.compute()
metric.reset()
metric.update(torch.tensor(5.0))
settle(metric.compute()["min"] != 5.0)

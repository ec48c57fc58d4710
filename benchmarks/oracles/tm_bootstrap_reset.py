"""A reset of the wrapper forgets what its copies have seen."""

import torch
from case import load, settle

module = load("src/torchmetrics/wrappers/bootstrapping.py", root="src", whole=True)
from torchmetrics import SumMetric  # noqa: E402 - only importable once the folder is on the path

metric = module.BootStrapper(SumMetric(), num_bootstraps=3)
metric.update(torch.ones(50))
metric.reset()
settle(any(float(copy.compute()) != 0 for copy in metric.metrics))

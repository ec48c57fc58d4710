"""A reset of the transformer forgets what the metric inside has seen."""

import torch
from case import load, settle

module = load("src/torchmetrics/wrappers/transformations.py", root="src", whole=True)
from torchmetrics import SumMetric  # noqa: E402 - only importable once the folder is on the path

inner = SumMetric()
metric = module.MetricInputTransformer(inner)
inner.update(torch.tensor(3.0))
metric.reset()
settle(inner.sum_value != 0)

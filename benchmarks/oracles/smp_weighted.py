"""The weighted mean of ones is one."""

import torch
from case import load, settle

compute = load("segmentation_models_pytorch/metrics/functional.py")._compute_metric
counts = [torch.ones(2, 3, dtype=torch.long)] * 4
score = compute(
    lambda tp, *_: torch.ones_like(tp).float(), *counts, reduction="weighted", class_weights=[1.0, 1.0, 2.0]
)
settle(abs(float(score) - 1.0) > 1e-5)

"""Where nothing is predicted right, no class has true positives."""

import torch
from case import load, settle

stats = load("segmentation_models_pytorch/metrics/functional.py")._get_stats_multiclass
output, target = torch.ones(1, 2, 2, dtype=torch.long), torch.full((1, 2, 2), 2)
settle(stats(output, target, 3)[0].any())

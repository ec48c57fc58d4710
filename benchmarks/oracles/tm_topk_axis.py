"""Each place of each sample has exactly one prediction."""

import torch
from case import load, settle

refine = load("src/torchmetrics/functional/classification/stat_scores.py", root="src", whole=True)._refine_preds_oh
torch.manual_seed(0)
preds = torch.randn(2, 4, 3).softmax(dim=1)
refined = refine(preds, torch.zeros(2, 3, 4, dtype=torch.long), torch.randint(0, 4, (2, 3)), 2)
settle((refined.sum(dim=-1) != 1).any())

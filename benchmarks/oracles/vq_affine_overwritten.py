"""The affine statistics of the batch move the codes that are compared: a shifted batch still finds different codes."""

import torch
from case import load, settle

EuclideanCodebook = load("vector_quantize_pytorch/vector_quantize_pytorch.py").EuclideanCodebook
torch.manual_seed(0)
codebook = EuclideanCodebook(dim=4, codebook_size=8, affine_param=True, ema_update=False, threshold_ema_dead_code=0)
codebook.train()
try:
    indices = codebook(torch.randn(1, 256, 4) * 0.1 + 50.0)[1]
except UnboundLocalError:
    settle(True)
else:
    settle(len(indices.unique()) <= 2)

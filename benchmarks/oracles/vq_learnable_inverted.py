"""The distances to a learnable codebook carry its gradient."""

import torch
from case import load, settle

EuclideanCodebook = load("vector_quantize_pytorch/vector_quantize_pytorch.py").EuclideanCodebook
codebook = EuclideanCodebook(dim=4, codebook_size=8, learnable_codebook=True, ema_update=False)
distances = codebook(torch.randn(1, 6, 4))[2]
settle(not distances.requires_grad)

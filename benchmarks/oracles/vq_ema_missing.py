"""A training step moves the running sum of the inputs of each code."""

import torch
from case import load, settle

EuclideanCodebook = load("vector_quantize_pytorch/vector_quantize_pytorch.py").EuclideanCodebook
codebook = EuclideanCodebook(dim=4, codebook_size=8, threshold_ema_dead_code=0).train()
before = codebook.embed_avg.clone()
codebook(torch.randn(1, 32, 4) + 3.0)
settle(torch.equal(before, codebook.embed_avg))

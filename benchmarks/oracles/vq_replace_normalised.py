"""Dead codes of a Euclidean codebook become samples of the batch, at their own length."""

import torch
from case import load, settle

EuclideanCodebook = load("vector_quantize_pytorch/vector_quantize_pytorch.py").EuclideanCodebook
codebook = EuclideanCodebook(dim=4, codebook_size=8)
samples = torch.randn(1, 32, 4) + 20.0
codebook.replace(samples, torch.ones(1, 8, dtype=torch.bool))
settle(codebook.embed.norm(dim=-1).max() < 10.0)

"""Smoothed counts of one codebook do not depend on the counts of another."""

import torch
from case import load, settle

laplace_smoothing = load("vector_quantize_pytorch/vector_quantize_pytorch.py").laplace_smoothing
counts = torch.tensor([[1.0, 3.0], [2.0, 2.0]])
more = torch.tensor([[1.0, 3.0], [200.0, 200.0]])
settle(not torch.allclose(laplace_smoothing(counts, 2)[0], laplace_smoothing(more, 2)[0]))

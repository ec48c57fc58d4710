"""A learnable codebook gets a gradient from the commitment loss."""

import torch
from case import load, settle

VectorQuantize = load("vector_quantize_pytorch/vector_quantize_pytorch.py").VectorQuantize
model = VectorQuantize(dim=4, codebook_size=8, learnable_codebook=True, ema_update=False).train()
loss = model(torch.randn(2, 6, 4))[2]
loss.sum().backward()
gradient = model._codebook.embed.grad
settle(gradient is None or not gradient.any())

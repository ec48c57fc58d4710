"""The weight of the commitment loss changes the loss that is returned."""

import torch
from case import load, settle

LFQ = load("vector_quantize_pytorch/lookup_free_quantization.py").LFQ
x, losses = torch.randn(2, 5, 4), []
for weight in (0.0, 10.0):
    losses.append(LFQ(dim=4, codebook_size=16, commitment_loss_weight=weight).train()(x)[2].item())
settle(losses[0] == losses[1])

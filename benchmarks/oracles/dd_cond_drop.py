"""Sampling with guidance is not random: twice the same input gives the same output."""

import torch
from case import load, settle

Unet = load("denoising_diffusion_pytorch/classifier_free_guidance.py").Unet
torch.manual_seed(0)
model = Unet(8, num_classes=3, dim_mults=(1, 2), cond_drop_prob=0.5).eval()
x, time, classes = torch.randn(8, 3, 8, 8), torch.zeros(8), torch.zeros(8, dtype=torch.long)
outputs = [model.forward_with_cond_scale(x, time, classes, cond_scale=3.0) for _ in range(2)]
settle(not torch.equal(*outputs))

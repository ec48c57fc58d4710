"""Each query is normalised over its own channels: its mean square is one, whatever the others are."""

import torch
from case import load, settle

module = load("denoising_diffusion_pytorch/karras_unet.py")
attention = module.Attention(8, heads=2, dim_head=4)
out = attention.pixel_norm(torch.randn(1, 2, 9, 4) * torch.tensor([1.0, 7.0]).view(1, 2, 1, 1))
square = out.pow(2).mean(dim=-1)
settle(not torch.allclose(square, torch.ones_like(square), atol=1e-2))

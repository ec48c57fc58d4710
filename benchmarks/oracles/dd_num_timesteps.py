"""With 2,000 steps, times above 1,000 are drawn as well."""

import torch
from case import load, settle, thing

GaussianDiffusion = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py").GaussianDiffusion
fake = thing(num_timesteps=2000, p_losses=lambda x, t: t)
x = torch.zeros(4000, 1, 1, 1)
settle(GaussianDiffusion.forward(fake, x).max() < 1000)

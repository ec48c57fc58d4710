"""As many samples come back as were asked for."""

import torch
from case import load, settle, thing

GaussianDiffusion = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py").GaussianDiffusion
sample = GaussianDiffusion.sample.__wrapped__
settle(len(sample(thing(p_sample_loop=torch.zeros), 4, batch_size=3)) != 3)

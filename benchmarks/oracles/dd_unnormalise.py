"""Samples come back in [0, 1]: a sampler whose last image is all minus ones gives zeros."""

import torch
from case import load, settle, thing

GaussianDiffusion = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py").GaussianDiffusion
fake = thing(betas=torch.zeros(1), num_timesteps=2, p_sample=lambda image, t: torch.full_like(image, -1.0))
settle(GaussianDiffusion.p_sample_loop.__wrapped__(fake, (1, 3, 2, 2)).min() < 0.0)

"""The posterior variance of the first step is zero: before it there is no noise."""

import torch
from case import load, settle

GaussianDiffusion = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py").GaussianDiffusion
diffusion = GaussianDiffusion(torch.nn.Identity(), image_size=4, timesteps=20)
settle(diffusion.posterior_variance[0].abs() > 1e-6)

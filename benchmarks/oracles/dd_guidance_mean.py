"""The gradient of the guidance is taken at the predicted mean."""

import torch
from case import load, settle

GaussianDiffusion = load("denoising_diffusion_pytorch/guided_diffusion.py").GaussianDiffusion
seen = []


def condition(x, t):
    seen.append(x)
    return torch.zeros_like(x)


mean = torch.full((1, 3), 2.0)
GaussianDiffusion.condition_mean(
    None, condition, mean, torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1), guidance_kwargs={}
)
settle(not torch.equal(seen[0], mean))

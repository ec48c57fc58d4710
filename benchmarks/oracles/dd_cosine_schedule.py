"""The cosine schedule ends without signal: the cumulative product of the alphas is close to zero, as beta is clipped."""

from case import load, settle

schedule = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py").cosine_beta_schedule
settle(schedule(20)[-1] < 0.99)

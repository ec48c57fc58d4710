"""The learned schedule begins at the greatest signal-to-noise ratio and ends at the least."""

import torch
from case import load, settle

module = load("denoising_diffusion_pytorch/continuous_time_gaussian_diffusion.py")
schedule = module.learned_noise_schedule(log_snr_max=9.0, log_snr_min=-9.0, hidden_dim=8)
start, end = schedule(torch.tensor([0.0, 1.0])).tolist()
settle(start < end)

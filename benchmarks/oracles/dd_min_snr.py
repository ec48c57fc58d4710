"""The weight of a step is at most one: min(snr, gamma) / snr."""

import torch
from case import load, settle, thing

module = load("denoising_diffusion_pytorch/continuous_time_gaussian_diffusion.py")
loss = module.ContinuousTimeGaussianDiffusion.p_losses
x = torch.zeros(1, 3, 4, 4)


def weight(log_snr):
    fake = thing(
        q_sample=lambda **_: (x, torch.tensor([log_snr])),
        model=lambda *_: x,
        min_snr_loss_weight=True,
        min_snr_gamma=5.0,
    )
    return loss(fake, x, torch.zeros(1), noise=torch.ones_like(x)).item()


settle(weight(-3.0) > 1.0 + 1e-5 or weight(5.0) > 0.5)

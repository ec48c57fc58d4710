"""The objective that is asked for changes the loss."""

import torch
from case import load, settle, thing

loss = load("denoising_diffusion_pytorch/simple_diffusion.py").GaussianDiffusion.p_losses
x, noise = torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4) * 2.0
losses = []
for objective in ("v", "eps"):
    fake = thing(
        q_sample=lambda **_: (x, torch.zeros(1)), model=lambda *_: torch.zeros_like(x), pred_objective=objective
    )
    losses.append(loss(fake, x, torch.zeros(1), noise=noise).item())
settle(losses[0] == losses[1])

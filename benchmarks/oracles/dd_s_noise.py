"""The factor on the noise of the stochastic sampler changes the samples."""

import torch
from case import load, settle

ElucidatedDiffusion = load("denoising_diffusion_pytorch/elucidated_diffusion.py").ElucidatedDiffusion


class Net(torch.nn.Module):
    learned_sinusoidal_cond = True

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, *_, **__):
        return torch.tanh(x)


samples = []
for factor in (0.5, 2.0):
    torch.manual_seed(0)
    samples.append(ElucidatedDiffusion(Net(), image_size=4, num_sample_steps=4, S_noise=factor).sample(2))
settle(torch.equal(*samples))

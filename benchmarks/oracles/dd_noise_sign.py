"""The noise that explains x_t, given x_0, is the noise that was added."""

import torch
from case import load, settle

module = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py")


class Net(torch.nn.Module):
    channels = out_dim = 3
    self_condition = learned_sinusoidal_cond = False


diffusion = module.GaussianDiffusion(Net(), image_size=4, timesteps=50)
x, noise, t = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.tensor([3, 30])
noisy = diffusion.q_sample(x, t, noise=noise)
settle(not torch.allclose(diffusion.predict_noise_from_start(noisy, t, x), noise, atol=1e-2))

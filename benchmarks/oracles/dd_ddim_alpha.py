"""Between two steps the noise keeps the variance of the schedule: 1 - alpha of the step the sample is at."""

import torch
from case import load, settle, thing

GaussianDiffusion = load("denoising_diffusion_pytorch/denoising_diffusion_pytorch.py").GaussianDiffusion
alphas = torch.linspace(0.99, 0.05, 10)
seen = []


def noise_alone(image, t, *_):
    seen.append((image.clone(), int(t[0])))
    return image / (1 - alphas[t[0]]).sqrt(), torch.zeros_like(image)


fake = thing(
    betas=torch.zeros(1), num_timesteps=10, sampling_timesteps=3, ddim_sampling_eta=0.0, objective="pred_noise",
    self_condition=False, alphas_cumprod=alphas, alphas_cumprod_prev=torch.cat((torch.ones(1), alphas[:-1])),
    model_predictions=noise_alone,
)  # fmt: skip
torch.manual_seed(0)
GaussianDiffusion.ddim_sample(fake, (1, 3, 4, 4))
(first, t), (second, t_next) = seen[:2]
expected = first * ((1 - alphas[t_next]) / (1 - alphas[t])).sqrt()
settle(not torch.allclose(second, expected, atol=1e-4))

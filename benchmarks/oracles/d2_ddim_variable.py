"""The sampler moves its sample: with a network that predicts zero and no noise, the result is zero."""

import torch
from case import load, settle, thing

module = load(
    "dalle2_pytorch/dalle2_pytorch.py", "dalle2_pytorch.tokenizer", "dalle2_pytorch.vqgan_vae", "x_clip", "coca_pytorch"
)
schedule = thing(
    alphas_cumprod_prev=torch.linspace(1.0, 0.1, 10),
    num_timesteps=10,
    predict_noise_from_start=lambda x, **_: torch.zeros_like(x),
)
fake = thing(
    device="cpu", noise_scheduler=schedule, init_image_embed_l2norm=False, predict_x_start=True,
    sampling_clamp_l2norm=False, net=thing(forward_with_cond_scale=lambda x, *_, **__: torch.zeros_like(x)),
)  # fmt: skip
sample = module.DiffusionPrior.p_sample_loop_ddim(fake, (2, 4), {}, timesteps=3, eta=0.0)
settle(sample.abs().max() > 1e-6)

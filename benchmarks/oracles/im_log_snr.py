"""To noise an image on from one time to a later one changes it."""

import torch
from case import load, settle

module = load(
    "imagen_pytorch/imagen_pytorch.py", "imagen_pytorch.t5", "resize_right", "imagen_pytorch.imagen_video.imagen_video"
)
schedule = module.GaussianDiffusionContinuousTimes(noise_schedule="cosine")
x = torch.randn(2, 3, 4, 4)
settle(torch.allclose(schedule.q_sample_from_to(x, 0.1, 0.9), x, atol=1e-5))

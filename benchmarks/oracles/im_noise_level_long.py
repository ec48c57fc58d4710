"""A noise level of 0.2 is 0.2 as a time, not zero."""

from case import load, settle

module = load(
    "imagen_pytorch/imagen_pytorch.py", "imagen_pytorch.t5", "resize_right", "imagen_pytorch.imagen_video.imagen_video",
    "imagen_pytorch.imagen_video",
)  # fmt: skip
schedule = module.GaussianDiffusionContinuousTimes(noise_schedule="linear")
settle(schedule.get_times(1, 0.2, device="cpu").item() == 0.0)

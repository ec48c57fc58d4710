"""Images of bytes become images from zero to one."""

import torch
from case import load, settle

module = load(
    "imagen_pytorch/imagen_pytorch.py", "imagen_pytorch.t5", "resize_right", "imagen_pytorch.imagen_video.imagen_video",
    "imagen_pytorch.imagen_video",
)  # fmt: skip
settle(module.cast_uint8_images_to_float(torch.tensor([255], dtype=torch.uint8)).item() > 1.0)

"""A video of the right size and the wrong length comes back with the length that is asked for."""

import torch
from case import load, settle

resize = load("imagen_pytorch/imagen_video.py", "imagen_pytorch.t5").resize_video_to
settle(resize(torch.zeros(1, 3, 8, 4, 4), 4, target_frames=2).shape[2] != 2)

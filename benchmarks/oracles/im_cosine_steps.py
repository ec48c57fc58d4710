"""The cosine falls over the steps that are asked for, not over the warm-up's."""

import torch
from case import load, settle

module = load(
    "imagen_pytorch/trainer.py", "imagen_pytorch.imagen_pytorch", "pytorch_warmup",
    "accelerate", "ema_pytorch",
)  # fmt: skip
seen = []
module.CosineAnnealingLR = lambda optimizer, T_max: seen.append(T_max)


class Imagen(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.unets = torch.nn.ModuleList([torch.nn.Linear(1, 1)])


module.Imagen = Imagen
module.ImagenTrainer(Imagen(), use_ema=False, warmup_steps=10, cosine_decay_max_steps=100)
settle(seen != [100])

"""The checkpoint holds the optimiser's state."""

import io

import torch
from case import load, settle, thing

module = load(
    "imagen_pytorch/trainer.py", "imagen_pytorch.imagen_pytorch", "imagen_pytorch.elucidated_imagen", "pytorch_warmup",
    "imagen_pytorch.data", "ema_pytorch", "accelerate", "fsspec", "fsspec.core", "fsspec.implementations.local",
    "imagen_pytorch.imagen_video",
)  # fmt: skip
saved = []
torch.save = lambda what, *_: saved.append(what)
nothing = lambda *_, **__: None  # noqa: E731
fake = thing(
    accelerator=thing(wait_for_everyone=nothing), can_checkpoint=True, reset_ema_unets_all_one_device=nothing,
    fs=thing(exists=lambda _: False, open=lambda *_, **__: io.BytesIO()), imagen=thing(state_dict=dict),
    steps=torch.zeros(1), num_unets=1, use_ema=False, print=nothing, scheduler0=None, warmup0=None,
    scaler0=thing(state_dict=lambda: "state of the scaler"), optim0=thing(state_dict=lambda: "state of the optimiser"),
)  # fmt: skip
module.ImagenTrainer.save(fake, "x")
settle("state of the optimiser" not in map(str, saved[0].values()))

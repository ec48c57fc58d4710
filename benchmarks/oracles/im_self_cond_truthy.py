"""A network without self-conditioning is run once a step."""

import torch
from case import load, settle, thing

module = load(
    "imagen_pytorch/imagen_pytorch.py", "imagen_pytorch.t5", "imagen_pytorch.imagen_video", "resize_right",
    "imagen_pytorch.imagen_video.imagen_video",
)  # fmt: skip
module.random = lambda: 0.0
calls = []


class Net(torch.nn.Module):
    self_cond = False

    def forward(self, x, *_, **__):
        calls.append(1)
        return torch.zeros_like(x)


x = torch.zeros(1, 3, 4, 4)
schedule = thing(
    q_sample=lambda **_: (x, torch.zeros(1), torch.ones(1), torch.ones(1)),
    get_condition=lambda t: t,
    predict_start_from_noise=lambda *_, **__: x,
)
fake = thing(
    normalize_img=lambda image: image, lowres_noise_schedule=schedule, cond_drop_prob=0.0,
    loss_fn=torch.nn.functional.mse_loss, right_pad_dims_to_datatype=lambda t: t,
)  # fmt: skip
module.Imagen.p_losses(fake, Net(), x, torch.zeros(1), noise_scheduler=schedule)
settle(len(calls) != 1)

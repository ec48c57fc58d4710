"""The first step with a gradient as small as epsilon is half the rate, as in Adam: epsilon is not scaled."""

import os

os.environ["TORCHDYNAMO_DISABLE"] = "1"

import torch
from case import definition, settle, thing


def done(*_, **__):
    future = torch.futures.Future()
    future.set_result(0)
    return thing(get_future=lambda: future)


def scatter(out, gradient, **_):
    out.copy_(gradient)
    return done()


dist = thing(
    get_rank=lambda: 0, get_world_size=lambda: 1, ReduceOp=thing(AVG=0), reduce_scatter_tensor=scatter,
    all_gather_into_tensor=done,
)  # fmt: skip
torch.compile = lambda function: function
DistAdamW = definition("nanochat/adamw.py", "DistAdamW", torch=torch, Tensor=torch.Tensor, dist=dist)
weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
weight.grad = torch.full((1,), 1e-8, dtype=torch.float64)
DistAdamW([{"params": [weight]}], lr=1.0, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0).step()
settle(abs(weight.item() + 0.5) > 0.05)

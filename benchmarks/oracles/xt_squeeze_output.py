"""The flag to squeeze the single pooled token: the output has the same shape with it on and off."""

import torch
from case import load, settle

AttentionPool = load("x_transformers/x_transformers.py").AttentionPool
context = torch.randn(2, 5, 16)
shapes = [AttentionPool(dim=16, heads=2, dim_head=8, squeeze_output=flag)(context).shape for flag in (True, False)]
settle(shapes[0] == shapes[1])

"""The initial scale that is asked for changes the layer's output."""

import torch
from case import load, settle

DynamicTanh = load("x_transformers/x_transformers.py").DynamicTanh
x = torch.randn(2, 4)
outputs = [DynamicTanh(4, init_alpha=alpha)(x) for alpha in (0.1, 1.5)]
settle(torch.equal(*outputs))

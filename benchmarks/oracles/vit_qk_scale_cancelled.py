"""The learned scale of the queries is not cancelled by the norm after it: doubling it changes the output."""

import torch
from case import load, settle

Attention = load("vit_pytorch/normalized_vit.py").Attention
torch.manual_seed(0)
attention = Attention(16, dim_head=8, heads=2).eval()
x = torch.randn(1, 5, 16)
before = attention(x)
with torch.no_grad():
    attention.q_scale.mul_(2)
settle(torch.allclose(before, attention(x), atol=1e-6))

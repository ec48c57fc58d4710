"""Masked tokens get no weight: the output is finite and does not depend on them."""

import torch
from case import load, settle

EvaAttention = load("timm/models/eva.py").EvaAttention
torch.manual_seed(0)
attention = EvaAttention(8, num_heads=2).eval()
attention.fused_attn = False
mask = torch.tensor([[True, True, False]])
x = torch.randn(1, 3, 8)
other = x.clone()
other[:, 2] = 9.0
outputs = [attention(one, attn_mask=mask)[:, :2] for one in (x, other)]
settle(not (outputs[0].isfinite().all() and torch.allclose(*outputs, atol=1e-5)))

"""Masked tokens get no weight: the output is finite and does not depend on them."""

from collections.abc import Callable
from typing import Optional

import torch
from case import definition, settle

EvaAttention = definition(
    "timm/models/eva.py", "EvaAttention", torch=torch, nn=torch.nn, F=torch.nn.functional, Optional=Optional,
    Callable=Callable, use_fused_attn=lambda: False, apply_rot_embed_cat=None,
)  # fmt: skip
torch.manual_seed(0)
attention = EvaAttention(8, num_heads=2).eval()
mask = torch.tensor([[True, True, False]])
x = torch.randn(1, 3, 8)
other = x.clone()
other[:, 2] = 9.0
outputs = [attention(one, attn_mask=mask)[:, :2] for one in (x, other)]
settle(not (outputs[0].isfinite().all() and torch.allclose(*outputs, atol=1e-5)))

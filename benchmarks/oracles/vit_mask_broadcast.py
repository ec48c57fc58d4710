"""Each image is masked by its own mask: another image's mask must not change its output. As many images as heads."""

import torch
from case import load, settle

Attention = load("vit_pytorch/vit_pytorch.py").Attention
torch.manual_seed(0)
attention = Attention(8, heads=2, dim_head=4).eval()
x, mask = torch.randn(2, 5, 8), torch.ones(2, 4, dtype=torch.bool)
other = mask.clone()
other[1, 2:] = False
settle(not torch.allclose(attention(x, mask=mask)[0], attention(x, mask=other)[0]))

"""Every parameter of the block takes part: one backward leaves none without a gradient."""

import torch
from case import load, settle

Transformer = load("vit_pytorch/twins_svt.py").Transformer
block = Transformer(8, 1, heads=2, dim_head=4, local_patch_size=2, global_k=2)
block(torch.randn(1, 8, 4, 4)).sum().backward()
settle(any(p.grad is None for p in block.parameters()))

"""The size of the projection kernel that is asked for is the size of the kernel."""

from case import load, settle

Attention = load("vit_pytorch/cvt.py").Attention
sizes = []
for kernel in (1, 5):
    attention = Attention(8, kernel, 2, heads=1, dim_head=8)
    sizes.append(sum(p.numel() for p in attention.to_q.parameters()))
settle(sizes[0] == sizes[1])

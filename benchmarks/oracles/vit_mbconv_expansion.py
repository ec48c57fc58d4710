"""The expansion rate that is asked for changes the block's size."""

from case import load, settle

MBConv = load("vit_pytorch/max_vit.py").MBConv
sizes = [sum(p.numel() for p in MBConv(8, 8, downsample=False, expansion_rate=r).parameters()) for r in (1, 4)]
settle(sizes[0] == sizes[1])

"""Deeper levels of the hierarchy have more channels, not fewer."""

from case import load, settle

NesT = load("vit_pytorch/nest.py").NesT
model = NesT(image_size=16, patch_size=2, num_classes=5, dim=8, heads=1, num_hierarchies=3, block_repeats=(1, 1, 1))
widths = [next(transformer.layers.parameters()).numel() for transformer, _ in model.layers]
settle(widths[0] > widths[-1])

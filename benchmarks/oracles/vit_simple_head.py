"""The model gives as many logits as there are classes."""

import torch
from case import load, settle

SimpleViT = load("vit_pytorch/simple_vit.py").SimpleViT
model = SimpleViT(image_size=8, patch_size=4, num_classes=5, dim=16, depth=1, heads=2, mlp_dim=16)
settle(model(torch.randn(2, 3, 8, 8)).shape[-1] != 5)

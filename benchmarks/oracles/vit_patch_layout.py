"""One token sees the pixels of one patch: a change inside one patch changes one token."""

import torch
from case import load, settle

ViT = load("vit_pytorch/vit_pytorch.py").ViT
config = {"image_size": 8, "patch_size": 2, "num_classes": 3, "dim": 4, "depth": 1, "heads": 1, "mlp_dim": 4}
model = ViT(**config)
seen = []
model.patch_to_embedding.register_forward_hook(lambda _, words, out: seen.append(words[0].detach().clone()))
image = torch.zeros(1, 3, 8, 8)
changed = image.clone()
changed[:, :, 0:2, 0:2] = 1.0
for one in (image, changed):
    model(one)
settle(int((seen[0] != seen[1]).any(dim=-1).sum()) != 1)

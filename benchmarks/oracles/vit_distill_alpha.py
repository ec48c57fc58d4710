"""With alpha 0 the loss is that on the labels alone: the teacher does not matter."""

import torch
from case import load, settle

module = load("vit_pytorch/distill.py", "vit_pytorch.t2t", "vit_pytorch.efficient")
torch.manual_seed(0)
student = module.DistillableViT(image_size=8, patch_size=4, num_classes=5, dim=16, depth=1, heads=2, mlp_dim=16).eval()
image, labels, losses = torch.randn(2, 3, 8, 8), torch.tensor([0, 1]), []
for scale in (1.0, 50.0):
    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 5))
    torch.nn.init.normal_(teacher[1].weight, std=scale)
    torch.manual_seed(1)
    losses.append(module.DistillWrapper(teacher=teacher, student=student, alpha=0.0)(image, labels).item())
settle(losses[0] != losses[1])

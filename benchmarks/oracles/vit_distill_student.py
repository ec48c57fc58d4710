"""Hard distillation trains the distillation head: its parameters get a gradient."""

import torch
from case import load, settle

module = load("vit_pytorch/distill.py", "vit_pytorch.t2t", "vit_pytorch.efficient")
config = {"image_size": 8, "patch_size": 4, "num_classes": 5, "dim": 16, "depth": 1, "heads": 2, "mlp_dim": 16}
student = module.DistillableViT(**config)
teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 5))
wrapper = module.DistillWrapper(teacher=teacher, student=student, hard=True)
wrapper(torch.randn(2, 3, 8, 8), torch.tensor([0, 1])).backward()
settle(any(p.grad is None or not p.grad.any() for p in wrapper.distill_mlp.parameters()))

"""The distilled head sees its own token."""

import torch
from case import definition, settle, thing

head = definition("timm/models/pit.py", "PoolingVisionTransformer.forward_head", torch=torch)
fake = thing(head_dist=1, global_pool="token", head_drop=lambda x: x, distilled_training=False, training=False)
outputs = [head(fake, torch.stack((torch.zeros(1, 4), torch.full((1, 4), v)), dim=1), True) for v in (0.0, 1.0)]
settle(torch.equal(*outputs))

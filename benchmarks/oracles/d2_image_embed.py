"""The prediction depends on the noised image embedding it is to clean."""

import torch
from case import load, settle

module = load(
    "dalle2_pytorch/dalle2_pytorch.py", "dalle2_pytorch.tokenizer", "dalle2_pytorch.vqgan_vae", "x_clip", "clip"
)
torch.manual_seed(0)
net = module.DiffusionPriorNetwork(8, num_timesteps=4, depth=1, dim_head=4, heads=2).eval()
text, time = torch.randn(2, 8), torch.zeros(2, dtype=torch.long)
outputs = [net(image, time, text_embed=text, cond_drop_prob=0.0) for image in torch.randn(2, 2, 8)]
settle(torch.equal(*outputs))

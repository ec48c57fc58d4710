"""The latent condition is computed; without it in the decoder its projection gets no gradient."""

import torch
from case import load, settle

module = load("x_transformers/free_transformer.py")
torch.manual_seed(0)
model = module.FreeTransformer(
    num_tokens=8, dim=32, dec_head_depth=1, dec_tail_depth=1, enc_depth=1, max_seq_len=8, heads=2, latent_bits=2
)
model(torch.randint(0, 8, (2, 8))).backward()
gradient = model.from_latent_to_condition[0].weight.grad
settle(gradient is None or not gradient.any())

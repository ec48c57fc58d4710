"""With cosine similarity and a codebook per head, what the codebook gets is of length one for each head."""

import torch
from case import load, settle

VectorQuantize = load("vector_quantize_pytorch/vector_quantize_pytorch.py").VectorQuantize
model = VectorQuantize(
    dim=8, codebook_dim=4, heads=2, separate_codebook_per_head=True, codebook_size=8, use_cosine_sim=True
)
seen = []
model._codebook.register_forward_pre_hook(lambda _, words: seen.append(words[0].detach()))
model.eval()(torch.randn(2, 6, 8))
lengths = seen[0].norm(dim=-1)
settle(not torch.allclose(lengths, torch.ones_like(lengths), atol=1e-4))

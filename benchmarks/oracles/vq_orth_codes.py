"""The limit on the codes in the orthogonality loss is kept: no more reach the loss."""

import torch
from case import load, settle

module = load("vector_quantize_pytorch/vector_quantize_pytorch.py")
seen, loss = [], module.orthogonal_loss_fn


def watched(codes):
    seen.append(codes.shape[-2])
    return loss(codes)


module.orthogonal_loss_fn = watched
model = module.VectorQuantize(dim=4, codebook_size=16, orthogonal_reg_weight=1.0, orthogonal_reg_max_codes=3)
model.train()(torch.randn(2, 6, 4))
settle(seen[0] > 3)

"""With the loss on active codes only, a code that no input has chosen does not matter to the loss."""

import torch
from case import load, settle

VectorQuantize = load("vector_quantize_pytorch/vector_quantize_pytorch.py").VectorQuantize
losses = []
for far in (100.0, 0.0):
    torch.manual_seed(0)
    model = VectorQuantize(
        dim=4, codebook_size=3, orthogonal_reg_weight=1.0, orthogonal_reg_active_codes_only=True, commitment_weight=0.0
    ).train()
    codes = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [far, 0, 0, 1.0]])
    for state in (model._codebook.embed, model._codebook.embed_avg):
        state.data.copy_(codes.view_as(state))
    model._codebook.cluster_size.fill_(1.0)
    x = torch.tensor([[[1.0, 0, 0, 0], [0, 1.0, 0, 0]]])
    losses.append(model(x)[2].sum().item())
settle(abs(losses[0] - losses[1]) > 1e-6)

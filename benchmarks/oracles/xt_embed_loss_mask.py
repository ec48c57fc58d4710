"""Ignored targets must not enter the loss on the next embedding: the loss may not depend on what is embedded there."""

import torch
from case import load, settle

AutoregressiveWrapper = load("x_transformers/autoregressive_wrapper.py").AutoregressiveWrapper


class Net(torch.nn.Module):
    max_seq_len = 4
    add_continuous_pred_head = True
    output_is_log_prob = False

    def __init__(self, far):
        super().__init__()
        self.far = far

    def forward(self, x, **_):
        torch.manual_seed(0)
        embeds = torch.randn(*x.shape, 3)
        embeds[:, -1] = self.far
        return (torch.zeros(*x.shape, 7), (torch.zeros_like(embeds), embeds)), None


tokens = torch.tensor([[1, 2, 3, -100]])
losses = [AutoregressiveWrapper(Net(far))(tokens).item() for far in (0.0, 100.0)]
settle(losses[0] != losses[1])

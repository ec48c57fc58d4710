"""Ignored positions are replaced by the pad value before the network sees them."""

import torch
from case import load, settle

AutoregressiveWrapper = load("x_transformers/autoregressive_wrapper.py").AutoregressiveWrapper
seen = []


class Net(torch.nn.Module):
    max_seq_len = 4
    add_continuous_pred_head = False
    output_is_log_prob = False

    def forward(self, x, **_):
        seen.append(x)
        return torch.zeros(*x.shape, 7), None


AutoregressiveWrapper(Net())(torch.tensor([[1, 2, -100, 3]]))
settle((seen[0] == -100).any())

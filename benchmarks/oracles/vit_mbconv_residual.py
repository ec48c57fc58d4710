"""A residual block around a branch that gives nothing is the identity."""

import torch
from case import load, settle

MBConvResidual = load("vit_pytorch/max_vit.py").MBConvResidual


class Nothing(torch.nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


x = torch.randn(2, 3, 4, 4)
settle(not torch.equal(MBConvResidual(Nothing()).eval()(x), x))

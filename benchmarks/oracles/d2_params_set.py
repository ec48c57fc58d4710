"""The parameters reach the optimiser in the model's order: its state is saved by place."""

import torch
from case import load, settle

separate = load("dalle2_pytorch/optimizer.py").separate_weight_decayable_params
parameters = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(200)]
found, _ = separate(parameters)
settle([id(p) for p in found] != [id(p) for p in parameters])

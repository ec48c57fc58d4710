"""A parameter named simple is marked so, though it is not in the list without weight decay."""

import fnmatch

import torch
from case import definition, settle

groups = definition(
    "timm/optim/_param_groups.py",
    "param_groups_weight_decay",
    nn=torch.nn,
    _matches_pattern=lambda name, patterns: any(fnmatch.fnmatch(name, one) for one in patterns),
)
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
settle(not any(group.get("simple") for group in groups(model, simple_params_list=["0.weight"])))

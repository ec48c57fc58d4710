"""A list of tensors comes back in the type that is asked for."""

import torch
from case import load, settle

to_device = load("src/pytorch_metric_learning/utils/common_functions.py", root="src").to_device
moved = to_device([torch.zeros(1), torch.zeros(1)], tensor=torch.zeros(1), dtype=torch.float64)
settle(any(one.dtype is not torch.float64 for one in moved))

"""The squared error of bytes 0 and 20 is 400 whatever the order."""

import torch
from case import load, settle

update = load("src/torchmetrics/functional/image/psnr.py", root="src", whole=True)._psnr_update
low, high = torch.tensor([[0]], dtype=torch.uint8), torch.tensor([[20]], dtype=torch.uint8)
settle(float(update(low, high)[0]) != 400.0)

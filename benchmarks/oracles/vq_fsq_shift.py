"""With an even number of levels the bound of zero is zero: the shift inverts the tanh."""

import torch
from case import load, settle

FSQ = load("vector_quantize_pytorch/finite_scalar_quantization.py").FSQ
settle(FSQ([4, 4]).bound(torch.zeros(1, 2)).abs().max() > 1e-5)

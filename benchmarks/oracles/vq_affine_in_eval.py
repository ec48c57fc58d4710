"""In evaluation a batch leaves the statistics of the codebook alone: the same input twice gives the same codes."""

import torch
from case import load, settle

EuclideanCodebook = load("vector_quantize_pytorch/vector_quantize_pytorch.py").EuclideanCodebook
torch.manual_seed(0)
codebook = EuclideanCodebook(dim=4, codebook_size=8, affine_param=True, threshold_ema_dead_code=0)
codebook.train()
codebook(torch.randn(1, 32, 4))
codebook.eval()
before = codebook.batch_mean.clone()
codebook(torch.randn(1, 32, 4) + 9.0)
settle(not torch.equal(before, codebook.batch_mean))

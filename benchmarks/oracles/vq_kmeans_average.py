"""After the first k-means the running sum divided by the running count is the code itself."""

import torch
from case import load, settle

EuclideanCodebook = load("vector_quantize_pytorch/vector_quantize_pytorch.py").EuclideanCodebook
torch.manual_seed(0)
codebook = EuclideanCodebook(dim=3, codebook_size=4, kmeans_init=True)
codebook.init_embed_(torch.randn(1, 64, 3))
mean = codebook.embed_avg / codebook.cluster_size[..., None]
settle(not torch.allclose(mean, codebook.embed, atol=1e-4))

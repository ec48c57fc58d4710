"""A beam asked for in evaluation alone is not used in training. To refuse the combination is sound, too."""

from case import load, settle

ResidualVQ = load("vector_quantize_pytorch/residual_vq.py").ResidualVQ
try:
    model = ResidualVQ(dim=4, num_quantizers=2, codebook_size=4, eval_beam_size=2)
except AssertionError:
    settle(False)
else:
    settle(model.beam_size == 2)

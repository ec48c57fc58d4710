"""Built on the meta device and filled with NaN, the two learned scalars are set by the initialisation."""

import torch
from case import load, settle

module = load("nanochat/gpt.py", "nanochat.optim", "nanochat.flash_attention")
config = module.GPTConfig(sequence_len=8, vocab_size=64, n_layer=2, n_head=2, n_kv_head=2, n_embd=32)
with torch.device("meta"):
    model = module.GPT(config)
model.to_empty(device="cpu")
with torch.no_grad():
    for parameter in model.parameters():
        parameter.fill_(torch.nan)
    model.init_weights()
settle(model.smear_lambda.isnan().any() or model.backout_lambda.isnan().any())

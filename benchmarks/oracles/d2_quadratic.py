"""The quadratic schedule ends at the variance of the linear one: 0.02 for a thousand steps."""

from case import load, settle

module = load(
    "dalle2_pytorch/dalle2_pytorch.py", "dalle2_pytorch.tokenizer", "dalle2_pytorch.vqgan_vae", "x_clip", "coca_pytorch",
    "clip",
)  # fmt: skip
settle(abs(float(module.quadratic_beta_schedule(1000)[-1]) - 0.02) > 1e-4)

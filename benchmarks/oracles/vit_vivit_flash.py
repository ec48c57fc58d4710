"""Asked for attention without the fused kernel, no layer may use it."""

from case import load, settle

module = load("vit_pytorch/vivit.py")
transformer = module.Transformer(8, 2, 2, 4, 8, use_flash_attn=False)
settle(any(attention.use_flash_attn for attention, _ in transformer.layers))

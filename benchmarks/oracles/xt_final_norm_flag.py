"""The flag for the last norm: the model is the same with it on and off."""

from case import load, settle

Decoder = load("x_transformers/x_transformers.py").Decoder
kinds = [type(Decoder(dim=16, depth=1, heads=2, pre_norm_has_final_norm=flag).final_norm) for flag in (True, False)]
settle(kinds[0] is kinds[1])

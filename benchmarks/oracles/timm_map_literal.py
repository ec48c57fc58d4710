"""A model that pools by attention and is asked to keep doing so keeps its pool."""

import torch
from case import definition, settle, thing

reset = definition("timm/models/vision_transformer.py", "VisionTransformer.reset_classifier", nn=torch.nn)
fake = thing(attn_pool="pool", embed_dim=4)
reset(fake, 3, "map")
settle(fake.attn_pool is None)

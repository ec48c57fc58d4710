"""The number of input channels reaches the backbone."""

import functools

from case import definition, settle

seen = []
build = definition(
    "timm/models/vitamin.py", "_create_vitamin", partial=functools.partial, HybridEmbed=object, VisionTransformer=None,
    checkpoint_filter_fn=None, build_model_with_cfg=lambda *_, **__: None,
    MbConvStages=lambda cfg, in_chans=3: seen.append(in_chans),
)  # fmt: skip
build("x", embed_cfg=object(), in_chans=1)
settle(seen != [1])

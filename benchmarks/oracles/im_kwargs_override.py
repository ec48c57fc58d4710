"""A width that is asked for wins over the preset's."""

from case import load, settle

module = load(
    "imagen_pytorch/imagen_pytorch.py", "imagen_pytorch.t5", "resize_right", "imagen_pytorch.imagen_video.imagen_video"
)
seen = []
module.Unet.__init__ = lambda self, *_, **named: seen.append(named["dim"])
module.BaseUnet64(dim=8)
settle(seen != [8])

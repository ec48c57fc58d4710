"""Networks and training loops: what is built and not used, losses, masks, gradients, schedules, state."""

from ..base import Detector

DETECTORS: tuple[Detector, ...] = ()

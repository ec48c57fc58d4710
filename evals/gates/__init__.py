"""Questions put to a candidate's runs before it may be kept. A new one is a file and a line in GATES."""

from .base import Gate as Gate
from .integrity import Integrity
from .noise_floor import NoiseFloor

GATES: dict[str, Gate] = {"noise_floor": NoiseFloor(), "integrity": Integrity()}

"""Questions put to a candidate's runs before it may be kept. A new one is a file and a line in GATES."""

from collections.abc import Sequence
from dataclasses import replace

from ..noise import Noise
from .base import Gate as Gate
from .integrity import Integrity
from .noise_floor import NoiseFloor

GATES: dict[str, Gate] = {"noise_floor": NoiseFloor(), "integrity": Integrity()}


def gates_for(noise: Noise | None) -> Sequence[Gate]:
    """The gates, told the noise that was measured on the untouched code."""
    return tuple(replace(gate, noise=noise) if isinstance(gate, NoiseFloor) else gate for gate in GATES.values())

"""Sources of ideas, in the order they are asked."""

from collections.abc import Callable, Sequence

from .architecture import ArchitectureProposer
from .base import Proposer as Proposer
from .defects import DefectsProposer
from .prompts import PromptsProposer

STRUCTURED: dict[str, Callable[[], Proposer]] = {
    "defects": DefectsProposer,
    "architecture": ArchitectureProposer,
    "prompts": PromptsProposer,
}
"""Proposers that need no model."""


def structured_proposers() -> Sequence[Proposer]:
    return tuple(make() for make in STRUCTURED.values())

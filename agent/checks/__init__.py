"""Cheap questions asked of every candidate before compute. A new one is a file and a line in CHECKS."""

from .base import Check as Check
from .imports import Imports
from .in_scope import InScope
from .parses import Parses

CHECKS: dict[str, Check] = {"in_scope": InScope(), "parses": Parses(), "imports": Imports()}
"""In the order they are asked: scope first, so that a protected file is named before anything else."""

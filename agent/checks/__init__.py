"""Cheap questions asked of a candidate before compute is spent. One check a file, one line in the table."""

from .base import Change, Check
from .effect import Effect
from .imports import Imports
from .in_scope import InScope
from .kind import prove_kind
from .parses import Parses

CHECKS: dict[str, Check] = {check.name: check for check in (InScope(), Parses(), Effect(), Imports())}
"""In the order they are asked: the first refusal ends it."""

__all__ = ["CHECKS", "Change", "Check", "prove_kind"]

"""What a detector is: it reads the code map and says what is wrong, where, and which edits mend it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ...code_map import CodeMap
from ...proposal import Edit


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspected defect. `edits` mend all of it together; a detector that cannot mend what it sees gives none."""

    detector: str
    title: str
    """Imperative, at most 72 characters: what the edits do."""
    rationale: str
    """Why this hurts, about this code."""
    file: str
    line: int
    symbol: str
    edits: tuple[Edit, ...] = ()


class Detector(Protocol):
    """Silent when in doubt: a false alarm costs the user compute and trust."""

    @property
    def name(self) -> str: ...

    def detect(self, code: CodeMap) -> Iterable[Finding]: ...

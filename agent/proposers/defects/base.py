"""What a detector is, and what it finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from ...proposal import Edit, Evidence
from .program import Program

Effect = Literal["score", "cost", "visibility"]
Confidence = Literal["high", "medium", "low"]
Action = Literal["safe", "propose", "advise"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect, where it stands, and the edits that mend it."""

    detector: str
    file: str
    line: int
    symbol: str
    """The function it stands in; empty at module level."""
    title: str
    """Imperative, at most 72 characters: what the edits do."""
    rationale: str
    """Why this hurts, about this code."""
    edits: tuple[Edit, ...]
    """Together they mend it. Empty: to be shown, not to be tried."""
    evidence: tuple[Evidence, ...] = ()
    effect: Effect = "score"
    """What mending it can change: the metric, only the cost of a run, or only what a person gets to see."""
    confidence: Confidence = "medium"
    """How sure the reading is that this is a defect and not a choice: `high` when every path to the place was read,
    `low` when a name or a convention is all there is."""
    safe: bool = False
    """Whether the edits keep every public name and what correct inputs give, and touch one function."""
    probe: str = ""
    """Name of the probe that a model asks for to settle it; empty or unknown: nobody is bound by it."""

    @property
    def identity(self) -> str:
        """The same on every commit where it is the same finding: lines move."""
        return "\n".join((self.detector, self.file, self.symbol, self.title))

    @property
    def action(self) -> Action:
        """What is done about it: applied once its probe agrees, tried as a branch, or only told."""
        if not self.edits:
            return "advise"
        return "safe" if self.safe else "propose"


class Detector(Protocol):
    """Reads a program, never runs it. Silence is cheaper than a false alarm: every finding costs the user compute."""

    @property
    def name(self) -> str: ...

    def detect(self, program: Program) -> Iterable[Finding]: ...

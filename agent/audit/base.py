"""What a question of the audit is, and what it finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from .scene import Scene

Severity = Literal["high", "low"]


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """A way in which a score can move without better predictions, and where it stands."""

    question: str
    severity: Severity
    """`high`: it can move the number that is compared. `low`: it misleads a reader, or could with one more mistake."""
    file: str
    line: int
    title: str
    """One sentence: what is there."""
    rationale: str
    """What it could do to a number."""
    advice: str
    """What to do."""


class Question(Protocol):
    """Reads the base commit and target.toml, never runs anything. Silence is cheaper than a false alarm: a user who has
    seen one stops reading."""

    @property
    def name(self) -> str: ...

    def ask(self, scene: Scene) -> Iterable[AuditFinding]: ...

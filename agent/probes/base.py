"""What a probe is: a question asked of a finding, measured inside a sandbox, answered outside."""

from dataclasses import dataclass
from typing import Any, Protocol

from ..proposers.defects.base import Finding
from .facts import Ask, Facts, Settled
from .reader import Reader


class Probe(Protocol):
    """A module of this package, in the table `PROBES`. `ask` and `decide` run here, `measure` inside the sandbox."""

    def ask(self, finding: Finding, reader: Reader) -> Ask:
        """What `measure` is told. Raises: Unsettled when reading does not give it."""

    def measure(self, subject: Any, ask: Ask) -> dict[str, Any]:
        """Facts about the model that `subject` builds. Raises anything when it cannot."""

    def decide(self, facts: Facts, ask: Ask) -> tuple[Settled, str]:
        """Whether the facts bear the finding out, and why. Raises: Unsettled."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A finding, and what its probe said.

    `confirmed` proves nothing: the code that was probed ran in the process that answered. It never takes the judge's place.
    """

    finding: Finding
    verdict: Settled
    reason: str
    probe: str = ""
    seconds: float = 0.0
    """Inside the sandbox, the building of what it measured included."""

"""Asked after scoring, of a candidate's runs against the incumbent's."""

from collections.abc import Sequence
from typing import Protocol

from ...targets.target import Target
from ..trial import Run, Verdict


class Gate(Protocol):
    @property
    def name(self) -> str: ...

    def judge(self, target: Target, runs: Sequence[Run], incumbent: Sequence[Run]) -> Verdict: ...

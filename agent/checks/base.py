"""Cheap questions asked of a candidate before compute is spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ...evals.trial import Verdict
from ...targets.target import Target


@dataclass(frozen=True, slots=True)
class Change:
    """A candidate before it is a commit: whole files, before and after. None: the file does not exist on that side."""

    before: Mapping[str, bytes | None]
    after: Mapping[str, bytes | None]
    tree: Mapping[str, bytes]
    """The whole tree after the change, readable files only."""


class Check(Protocol):
    @property
    def name(self) -> str: ...

    def judge(self, target: Target, change: Change) -> Verdict: ...

"""Searches over tunables, as ask and tell. Everything a tuner knows it was told: it is rebuilt from the ledger."""

from typing import Protocol

from ..trial import Params, Score


class Tuner(Protocol):
    """The first `ask` gives the code's own defaults. A run without a score is told as None."""

    name: str

    def ask(self) -> Params: ...

    def tell(self, params: Params, score: Score | None) -> None: ...

"""Searches over tunables, as ask and tell. Everything a tuner knows it was told: it is rebuilt from the ledger."""

from typing import Protocol

from ..trial import Params, Score


class Tuner(Protocol):
    """The first `ask` gives the code's own defaults. A run without a score is told as None."""

    name: str

    def ask(self) -> Params: ...

    def asked(self, params: Params) -> None:
        """What was asked for before this tuner was made and has no result yet; names that are not given have the code's
        own value. A tuner made again from the ledger hears of it after all that was told."""
        ...

    def tell(self, params: Params, score: Score | None) -> None: ...

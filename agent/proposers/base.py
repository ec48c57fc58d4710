"""Where ideas come from."""

from collections.abc import Sequence
from typing import Protocol

from ...evals.trial import ProposalRecord, Trial
from ..code_map import CodeMap
from ..proposal import Proposal


class Proposer(Protocol):
    """Proposals for the code at `code.commit`, best first. `history` and `tried` are read-only rows of the ledger."""

    name: str

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]: ...

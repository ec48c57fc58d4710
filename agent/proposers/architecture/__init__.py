"""Known better shapes for models of a known kind, found by structure and proposed singly and together."""

from collections.abc import Sequence

from ....evals.trial import ProposalRecord, Trial
from ...code_map import CodeMap
from ...proposal import Proposal
from .autoencoder import autoencoders
from .factorial import combined
from .ideas import ideas_for


class ArchitectureProposer:
    """Autoencoders over vectors, today: fewer hidden layers, closed form, multinomial likelihood, corrupted input."""

    name = "architecture"

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]:
        known = {record.id for record in tried}
        proposals = [
            proposal
            for found in autoencoders(code)
            for proposal in combined(ideas_for(code, found), code, history, proposer=self.name)
        ]
        return [proposal for proposal in proposals if proposal.id not in known][:limit]

"""Fixes for what a language model suspects after reading: tried like any finding's, where they still apply."""

from collections.abc import Callable, Sequence

from ...evals.trial import ProposalRecord, Trial
from ...targets.errors import OperatorError
from ..code_map import CodeMap
from ..operators.apply import apply_edits
from ..proposal import Evidence, Proposal
from .defects import Finding


class ReadingProposer:
    """`findings` is asked when the first proposal is wanted, so that nothing is read, and paid for, in vain."""

    name = "reading"

    def __init__(self, findings: Callable[[], Sequence[Finding]]) -> None:
        self._findings = findings

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]:
        """One proposal for each find with edits that apply to `code`.

        Raises: ModelError when the model that reads gives no answer.
        """
        found = [finding for finding in self._findings() if finding.edits and _applies(finding, code)]
        return [self._one(finding, code) for finding in found[:limit]]

    def _one(self, finding: Finding, code: CodeMap) -> Proposal:
        where = Evidence(finding.file, finding.line, f"{finding.detector}: {finding.symbol or finding.file}")
        return Proposal(
            "bug_fix",
            finding.title,
            finding.rationale,
            finding.edits,
            (where, *finding.evidence),
            self.name,
            code.commit,
        )


def _applies(finding: Finding, code: CodeMap) -> bool:
    try:
        apply_edits(code.sources, finding.edits)
    except OperatorError:
        return False
    return True

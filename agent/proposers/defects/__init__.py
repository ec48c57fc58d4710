"""Defects found by reading, each with the edits that mend it. A new detector is a file and a line in DETECTORS."""

from collections.abc import Sequence

from ....evals.trial import ProposalRecord, Trial
from ...code_map import CodeMap
from ...proposal import Evidence, Proposal
from .base import Detector as Detector
from .base import Finding as Finding

_ALL: tuple[Detector, ...] = ()

DETECTORS: dict[str, Detector] = {detector.name: detector for detector in _ALL}
"""By name, the kinds most frequent in real projects first."""


def find_defects(code: CodeMap) -> tuple[Finding, ...]:
    """What every detector finds, in the order of the table, then by place."""
    found: list[Finding] = []
    for detector in DETECTORS.values():
        found += sorted(detector.detect(code), key=lambda finding: (finding.file, finding.line))
    return tuple(found)


class DefectsProposer:
    """A bug fix for each finding that comes with edits."""

    name = "defects"

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]:
        proposals = [
            Proposal(
                kind="bug_fix",
                title=finding.title[:72],
                rationale=finding.rationale,
                edits=finding.edits,
                evidence=(Evidence(finding.file, finding.line, f"{finding.detector}: {finding.symbol}"),),
                proposer=self.name,
                parent=code.commit,
            )
            for finding in find_defects(code)
            if finding.edits
        ]
        return proposals[:limit]

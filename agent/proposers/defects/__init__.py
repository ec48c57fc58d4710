"""Defects found by reading, each with the edits that mend it. A new detector is a file and a line in its family's table."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ....evals.trial import ProposalRecord, Trial
from ....targets.errors import OperatorError
from ...code_map import CodeMap
from ...operators.apply import apply_edits
from ...proposal import Edit, Evidence, Proposal
from . import evaluation, retrieval, structure
from .after_loop import AfterLoop
from .base import Detector as Detector
from .base import Effect as Effect
from .base import Finding as Finding
from .evaluation_mode import EvaluationMode
from .fit_before_split import FitBeforeSplit
from .ignores import IgnoreComment, ignores
from .last_batch_reported import LastBatchReported
from .overwritten_total import OverwrittenTotal
from .program import Program as Program
from .refitted_preprocessing import RefittedPreprocessing
from .silent_except import SilentExcept
from .softmax_before_loss import SoftmaxBeforeLoss
from .step_before_backward import StepBeforeBackward
from .target_leak import TargetLeak
from .trained_on_test import TrainedOnTest
from .unshuffled import UnshuffledTraining
from .wrong_loss import WrongLoss
from .zero_grad import MissingZeroGrad

_ALL: tuple[Detector, ...] = (
    SoftmaxBeforeLoss(),
    MissingZeroGrad(),
    EvaluationMode(),
    RefittedPreprocessing(),
    FitBeforeSplit(),
    WrongLoss(),
    StepBeforeBackward(),
    UnshuffledTraining(),
    TargetLeak(),
    TrainedOnTest(),
    AfterLoop(),
    OverwrittenTotal(),
    LastBatchReported(),
    SilentExcept(),
    *structure.DETECTORS,
    *evaluation.DETECTORS,
    *retrieval.DETECTORS,
)

_IGNORE = IgnoreComment(frozenset(detector.name for detector in _ALL))

DETECTORS: dict[str, Detector] = {detector.name: detector for detector in (*_ALL, _IGNORE)}
"""By name, the kinds most frequent in real projects first."""

_EFFECTS: tuple[Effect, ...] = ("score", "cost", "visibility")


def find_defects(code: CodeMap, environment: Sequence[Path] = ()) -> tuple[Finding, ...]:
    """What every detector finds: what can change the score first, then in the order of the table, then by place.

    A finding whose edits do not apply is kept without them, to be shown and not tried. One that a comment silences with a
    reason is left out. `environment` holds folders of installed packages, read for the signatures of what the code calls.
    """
    program = Program.of(code, environment)
    found: list[Finding] = []
    for detector in DETECTORS.values():
        found += sorted(detector.detect(program), key=lambda finding: (finding.file, finding.line))
    silenced = ignores(program)
    kept = [finding for finding in found if not any(ignore.covers(finding) for ignore in silenced)]
    return tuple(sorted((_checked(finding, code) for finding in kept), key=lambda f: _EFFECTS.index(f.effect)))


def _checked(finding: Finding, code: CodeMap) -> Finding:
    try:
        apply_edits(code.sources, finding.edits)
    except OperatorError:
        return replace(finding, edits=())
    return finding


class DefectsProposer:
    """All fixes that touch the score together, for one defect may hide what another costs; then each finding alone.

    What was tried on another commit is proposed again: a fix that gained nothing may gain once another is in.
    """

    name = "defects"

    def __init__(self) -> None:
        self.refuted: Collection[str] = frozenset()
        """Identities of findings that a probe refuted: shown, and not tried."""

    def propose(
        self, code: CodeMap, history: Sequence[Trial], tried: Sequence[ProposalRecord], *, limit: int
    ) -> Sequence[Proposal]:
        findings = [f for f in find_defects(code) if f.edits and f.identity not in self.refuted]
        proposals = [self._one(finding, code) for finding in findings]
        together = self._together([finding for finding in findings if finding.effect == "score"], code)
        return [*([together] if together is not None else []), *proposals][:limit]

    def _one(self, finding: Finding, code: CodeMap) -> Proposal:
        evidence = (Evidence(finding.file, finding.line, f"{finding.detector}: {finding.symbol or finding.file}"),)
        return Proposal(
            "bug_fix",
            finding.title,
            finding.rationale,
            finding.edits,
            evidence + finding.evidence,
            self.name,
            code.commit,
        )

    def _together(self, findings: Sequence[Finding], code: CodeMap) -> Proposal | None:
        """All fixes in one, as far as they apply one after the other."""
        sources, edits, taken = dict(code.sources), list[Edit](), list[Finding]()
        for finding in findings:
            fresh = [edit for edit in finding.edits if edit not in edits]
            try:
                sources |= apply_edits(sources, fresh)
            except OperatorError:
                continue  # another fix changed the same place
            edits += fresh
            taken.append(finding)
        if len(taken) < 2:
            return None
        kinds = ", ".join(dict.fromkeys(finding.detector for finding in taken))
        evidence = tuple(Evidence(finding.file, finding.line, finding.title) for finding in taken)
        why = f"Each of these hides what the others cost: {kinds}."
        return Proposal(
            "bug_fix", f"Fix {len(taken)} defects together", why, tuple(edits), evidence, self.name, code.commit
        )

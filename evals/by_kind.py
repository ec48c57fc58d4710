"""The share of each edit: what one edit alone did to the code it was made on, and the same by kind.

Only a pair of commits that differ by one edit shows what that edit did; trials of several edits at once are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from .difference import Difference, difference
from .trial import Decision, ProposalRecord, Run, Trial


@dataclass(frozen=True, slots=True)
class EditGain:
    proposal_id: str
    trial_id: str
    kind: str
    title: str
    gain: Difference
    """Against its parent, on the search split, over their common seeds."""
    decision: Decision


@dataclass(frozen=True, slots=True)
class KindGain:
    """Edits of one kind, each alone against its parent."""

    kind: str
    tried: int
    kept: int
    failed: int
    refused: int
    """Never ran: a check or an operator said no."""
    mean: float | None
    """Mean gain of those that have a score on both sides."""
    best: EditGain | None


def edit_gains(trials: Sequence[Trial], proposals: Sequence[ProposalRecord], direction: str) -> tuple[EditGain, ...]:
    """One entry for every search trial of the edits arm whose proposal is a single edit, in the order they ran."""
    records = {p.id: p for p in proposals}
    runs = _runs_by_commit(trials)
    gains = []
    for trial in trials:
        record = records.get(trial.proposal_id or "")
        if trial.phase != "search" or trial.arm != "edits" or record is None or len(record.edits) != 1:
            continue
        gain = difference(trial.runs, runs.get(trial.parent, ()), direction)
        gains.append(EditGain(record.id, trial.id, record.kind, record.title, gain, trial.decision))
    return tuple(gains)


def kind_gains(edits: Sequence[EditGain], proposals: Sequence[ProposalRecord]) -> tuple[KindGain, ...]:
    """By kind, best mean gain first; kinds that were only ever refused come last."""
    refused = [p.kind for p in proposals if p.arm == "edits" and p.commit is None]
    kinds = {e.kind for e in edits} | set(refused)
    rows = [_kind_gain(kind, [e for e in edits if e.kind == kind], refused.count(kind)) for kind in sorted(kinds)]
    return tuple(sorted(rows, key=lambda row: (row.mean is None, -(row.mean or 0.0), row.kind)))


def _kind_gain(kind: str, edits: Sequence[EditGain], refused: int) -> KindGain:
    scored = [(e.gain.mean, e) for e in edits if e.gain.mean is not None]
    return KindGain(
        kind=kind,
        tried=len(edits),
        kept=sum(e.decision == "keep" for e in edits),
        failed=sum(e.decision == "crash" for e in edits),
        refused=refused,
        mean=fmean(mean for mean, _ in scored) if scored else None,
        best=max(scored, key=lambda pair: pair[0])[1] if scored else None,
    )


def _runs_by_commit(trials: Sequence[Trial]) -> dict[str, list[Run]]:
    """What is known of each commit on the search split, one run a seed, the first that was made."""
    found: dict[str, dict[int, Run]] = {}
    for trial in trials:
        if trial.phase in ("calibrate", "search") and trial.arm != "rerun":
            for run in trial.runs:
                found.setdefault(trial.commit, {}).setdefault(run.seed, run)
    return {commit: list(by_seed.values()) for commit, by_seed in found.items()}

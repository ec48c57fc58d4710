"""A score counts only when the evaluator and the labels that made it are the base commit's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...targets.target import Target
from ..trial import Run, Verdict


@dataclass(frozen=True, slots=True)
class Integrity:
    """Passes when every run was scored by one and the same evaluator on one and the same labels.

    The judge hashes both before and after each scoring and gives no score when they differ. A same-process target has
    no evaluator out of the candidate's reach: it passes, and the reason says what its scores are worth.
    """

    name: str = "integrity"

    def judge(self, target: Target, runs: Sequence[Run], incumbent: Sequence[Run]) -> Verdict:
        if target.integrity == "same-process":
            return Verdict(self.name, True, "same-process: the candidate's own process reported its metric")
        by_split: dict[str, set[str | None]] = {}
        for run in (*runs, *incumbent):
            if run.score is not None:
                by_split.setdefault(run.split, set()).add(run.evaluator_sha256)
        if any(None in hashes for hashes in by_split.values()):
            return Verdict(self.name, False, "a score was made by an evaluator nobody hashed")
        changed = sorted(split for split, hashes in by_split.items() if len(hashes) > 1)
        if changed:
            return Verdict(self.name, False, f"evaluator or labels changed between runs on {', '.join(changed)}")
        return Verdict(self.name, True, "separate: evaluator and labels are those of the base commit")

"""The ledger's rows of one run, kept in memory too, so that the loop need not ask the database what it just wrote.

Every write goes to the ledger first. One process at a time works on a run, so the two never differ.
"""

import threading
from collections.abc import Sequence
from typing import Any

from ..evals.ledger import Ledger
from ..evals.trial import Arm, Phase, ProposalRecord, Run, Trial


class Journal:
    """Safe to share between slots."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self.ledger = ledger
        self.run_id = run_id
        self._lock = threading.Lock()
        self._trials: dict[str, Trial] = {}
        self._runs: dict[tuple[str, int, str], tuple[str, Run]] = {}
        self._proposals = {record.id: record for record in ledger.proposals(run_id)}
        for trial in ledger.trials(run_id):
            self._keep(trial)

    # trials

    def add(self, trial: Trial) -> None:
        self.ledger.add_trial(trial)
        with self._lock:
            self._keep(trial)

    def trial(self, trial_id: str) -> Trial | None:
        return self._trials.get(trial_id)

    def trials(self, arm: Arm | None = None, phase: Phase | None = None) -> list[Trial]:
        """In the order they ended."""
        with self._lock:
            rows = list(self._trials.values())
        return [t for t in rows if arm in (None, t.arm) and phase in (None, t.phase)]

    def known(self, commit: str, seed: int, split: str) -> tuple[str, Run] | None:
        """A run of just this, and the id of the trial it was made for: the same thing is never run twice."""
        return self._runs.get((commit, seed, split))

    def runs(self, commit: str, seeds: Sequence[int], split: str) -> tuple[Run, ...]:
        """The known runs of these seeds, in order."""
        found = (self.known(commit, seed, split) for seed in seeds)
        return tuple(entry[1] for entry in found if entry)

    def charged(self, *phases: Phase) -> dict[Arm, float]:
        """Device seconds per arm in these phases."""
        seconds: dict[Arm, float] = {}
        for trial in self.trials():
            if trial.phase in phases:
                seconds[trial.arm] = seconds.get(trial.arm, 0.0) + trial.device_seconds
        return seconds

    def _keep(self, trial: Trial) -> None:
        self._trials.setdefault(trial.id, trial)
        for run in trial.runs:
            self._runs.setdefault((trial.commit, run.seed, run.split), (trial.taken_from or trial.id, run))

    # proposals

    def propose(self, record: ProposalRecord) -> bool:
        """Keeps a new proposal; False when it was made before."""
        if record.id in self._proposals:
            return False
        self.ledger.add_proposal(record)
        self._proposals[record.id] = record
        return True

    def update(self, proposal_id: str, **changes: Any) -> ProposalRecord:
        record = self.ledger.update_proposal(self.run_id, proposal_id, **changes)
        self._proposals[proposal_id] = record
        return record

    def proposal(self, proposal_id: str) -> ProposalRecord:
        return self._proposals[proposal_id]

    def has_proposal(self, proposal_id: str) -> bool:
        return proposal_id in self._proposals

    def proposals(self, arm: Arm | None = None) -> list[ProposalRecord]:
        return [record for record in self._proposals.values() if arm in (None, record.arm)]

    def orphans(self) -> list[str]:
        """Proposals that became a commit but have no trial: a stop came between. They are run first."""
        tried = {trial.proposal_id for trial in self.trials()}
        return [r.id for r in self.proposals() if r.outcome == "branched" and r.id not in tried]

"""The ledger's rows of one run, kept in memory too, so that the loop need not ask the database what it just wrote.

Every write goes to the ledger first. One process at a time works on a run, so the two never differ.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..evals.charges import CARD, PROBES
from ..evals.ledger import Ledger
from ..evals.trial import Arm, Phase, ProposalRecord, Run, Rung, Trial
from ..evals.trivial.card import Card


class Journal:
    """Safe to share between slots."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self.ledger = ledger
        self.run_id = run_id
        self._lock = threading.Lock()
        self._charging = threading.Lock()
        self._running: dict[str, tuple[Arm, float]] = {}
        self._trials: dict[str, Trial] = {}
        self._runs: dict[tuple[str, int, str, Rung], tuple[str, Run]] = {}
        self.probe_seconds = 0.0
        """Device seconds of the probes, part of the edits arm's search."""
        self._proposals = {record.id: record for record in ledger.proposals(run_id)}
        for trial in ledger.trials(run_id):
            self._keep(trial)

    # trials

    def add(self, trial: Trial) -> None:
        with self._charging:
            self.ledger.add_trial(trial)
            self._running.pop(trial.id, None)
        with self._lock:
            self._keep(trial)

    # device seconds of what has no row yet

    def begin(self, trial_id: str, arm: Arm) -> None:
        """From now on the trial holds a slot, and is charged for it until its row is added or it is cut off."""
        with self._charging:
            self._running.setdefault(trial_id, (arm, time.monotonic()))

    def meter(self) -> None:
        """Writes down how long the trials in the slots have run, so that a kill loses only what comes after."""
        with self._charging:
            now = time.monotonic()
            running = {trial: (arm, now - since) for trial, (arm, since) in self._running.items()}
            if running:
                self.ledger.meter(self.run_id, running)

    def charge_failed(self, trial_id: str, seconds: float) -> None:
        """Charges a run that the sandbox failed, once: the trial it was for goes on without it."""
        with self._charging:
            arm, since = self._running[trial_id]
            self.ledger.charge_device(self.run_id, arm, seconds=seconds, purpose="sandbox failed")
            self._running[trial_id] = arm, since + seconds

    def keep_card(self, card: Card) -> None:
        """Keeps the card of trivial baselines; its own seconds take the place of what was metered."""
        with self._charging:
            self.ledger.keep_card(self.run_id, card.seconds, **card.settings())
            self._running.pop(CARD, None)

    def keep_probes(self, seconds: float, verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Keeps what the probes said; their own seconds take the place of what was metered."""
        with self._charging:
            probes = {"seconds": seconds, "verdicts": list(verdicts)}
            self.ledger.keep_beside(self.run_id, ("edits", PROBES), seconds, probes=probes)
            self._running.pop(PROBES, None)
            self.probe_seconds = seconds

    def cut_off(self, trial_id: str) -> None:
        """Charges what a trial that ends without a row has used; nothing when it never held a slot."""
        with self._charging:
            if trial_id in self._running:
                arm, since = self._running.pop(trial_id)
                self.ledger.cut_off(self.run_id, trial_id, arm, max(0.0, time.monotonic() - since))

    def trial(self, trial_id: str) -> Trial | None:
        return self._trials.get(trial_id)

    def trials(self, arm: Arm | None = None, phase: Phase | None = None) -> list[Trial]:
        """In the order they ended."""
        with self._lock:
            rows = list(self._trials.values())
        return [t for t in rows if arm in (None, t.arm) and phase in (None, t.phase)]

    def known(self, commit: str, seed: int, split: str, rung: Rung = "full") -> tuple[str, Run] | None:
        """A run of just this, and the id of the trial it was made for: the same thing is never run twice."""
        return self._runs.get((commit, seed, split, rung))

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
        if "search" in phases and self.probe_seconds:
            seconds["edits"] = seconds.get("edits", 0.0) + self.probe_seconds
        return seconds

    def _keep(self, trial: Trial) -> None:
        self._trials.setdefault(trial.id, trial)
        # `again` asks whether the same run comes out the same, so it stands for no other.
        for run in (*trial.ladder, *trial.runs) if trial.phase != "again" else ():
            self._runs.setdefault((trial.commit, run.seed, run.split, run.rung), (trial.taken_from or trial.id, run))

    # proposals

    def propose(self, record: ProposalRecord) -> bool:
        """Keeps a new proposal; False when it was made before."""
        if record.id in self._proposals:
            return False
        self.ledger.add_proposal(record)
        self._proposals[record.id] = record
        return True

    def keep_answer(self, refused: Sequence[ProposalRecord], ideas: Mapping[str, Any]) -> None:
        """Keeps what came of a language model's answer: its refused proposals, and every idea that waits by commit."""
        self.ledger.keep_answer(self.run_id, refused, model_ideas=ideas)
        for record in refused:
            self._proposals.setdefault(record.id, record)

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

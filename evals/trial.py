"""The rows everything else is computed from: a score, a run, a trial."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..sandbox.runner import GpuUse, KillReason
from ..targets.tunable import Value

Arm = Literal["baseline", "rerun", "random", "tuner", "edits", "edits+tuner", "review"]
Phase = Literal["calibrate", "again", "search", "confirm", "attribute", "scale_up", "sealed"]
"""`again`: one seed of the untouched code a second time. `attribute`: the winner's edits, each alone and each left out."""
Rung = Literal["smoke", "short", "full", "scale_up"]
"""Length of training; `full` where the target has no rungs."""
Pruning = Literal["", "pruned", "sampled"]
"""`sampled`: would have been pruned after its short run, and was run to the end to see whether that is right."""
Decision = Literal["keep", "discard", "crash"]
Params = Mapping[str, Value]
"""Tunable name to value; only what differs from the code's defaults needs to be there."""


@dataclass(frozen=True, slots=True)
class Score:
    """A finite number. No score is None, never a sentinel."""

    metric: str
    value: float
    per_example: tuple[float, ...] | None = None
    """Contribution of each example or user, in the order of the labels; its mean is `value`."""
    extras: Mapping[str, float] = field(default_factory=dict)
    groups: tuple[int, ...] | None = None
    """The group of each example, numbered in order of appearance: examples of one group were drawn together."""
    slices: Mapping[str, float] = field(default_factory=dict)
    """The metric on parts of the examples, by name; read only where a guard asks for one."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed of one candidate on one split: train, predict and score together."""

    seed: int
    split: str
    status: str
    """A `sandbox.runner.Status`, or `no_score` when every step ended well but left no usable metric."""
    reason: str
    score: Score | None
    device_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    log: str
    """Head and tail of the last step that ran, bounded and stripped."""
    backend: str
    """Sandbox and its limits, such as `bubblewrap (watchdog)`; `unconfined` is written here too."""
    model_sha256: str | None = None
    """Hash over what training wrote; predictions of later splits must come from these very bytes."""
    started: float = 0.0
    """Seconds since the epoch."""
    evaluator_sha256: str | None = None
    """Hash over the pristine evaluator and the labels that made the score; None for a same-process target."""
    kill_reason: KillReason | None = None
    """Which limit ended the last step, when one did."""
    gpu: GpuUse | None = None
    """Of all steps together; None when no GPU was held."""
    rung: Rung = "full"
    train_seconds: float | None = None
    """Device seconds of the step; None when it did not end well, or was not part of this run."""
    predict_seconds: float | None = None
    model_bytes: int | None = None
    """Size of what training wrote, counted from outside; None for a same-process target."""


@dataclass(frozen=True, slots=True)
class Verdict:
    gate: str
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate judged in one arm and phase. `id` is a content hash, so a repeated step finds the row it wrote."""

    id: str
    run_id: str
    arm: Arm
    phase: Phase
    commit: str
    parent: str
    params: Params
    proposal_id: str | None
    runs: tuple[Run, ...]
    verdicts: tuple[Verdict, ...]
    decision: Decision
    device_seconds: float
    """What the arm is charged. For a trial taken over from another arm: what it would have paid."""
    taken_from: str | None = None
    """Id of the trial whose runs these are: same commit, same seeds, so not run twice, but charged to both arms."""
    created: float = 0.0
    ladder: tuple[Run, ...] = ()
    """Runs at shorter rungs, on the way to `runs`; charged in `device_seconds`. Without values per example."""
    pruning: Pruning = ""
    """A trial that is `pruned` has no full runs, is no failure, and never the best."""
    model_dollars: float = 0.0
    """What language models had been paid for this arm when the trial ended."""

    @property
    def rung(self) -> Rung:
        """The highest rung it reached."""
        return (*self.ladder, *self.runs)[-1].rung if self.ladder or self.runs else "full"


def trial_id(run_id: str, arm: Arm, phase: Phase, commit: str, *what: object) -> str:
    """Content hash of a trial, twelve hex digits; `what` tells apart trials of one commit in one phase, such as seeds."""
    return hashlib.sha256(json.dumps([run_id, arm, phase, commit, *map(str, what)]).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """What the ledger keeps of a proposal, tried or not. Text from a model or a repository: data, never markup."""

    id: str
    run_id: str
    arm: Arm
    kind: str
    """As proved on the syntax tree when there is a commit, else as claimed."""
    claimed_kind: str
    title: str
    rationale: str
    evidence: tuple[tuple[str, int, str], ...]
    edits: tuple[Mapping[str, object], ...]
    proposer: str
    parent: str
    commit: str | None
    diff: str
    outcome: str
    """`branched`, or why it never ran: `refused: CHECK: reason`, `operator: reason`, `model: reason`."""
    branch: str | None = None
    """The user-facing branch, once promoted."""

"""What happens during a run, as plain data: the session says it, a view of `agent/live.py` shows it."""

from dataclasses import dataclass
from typing import Literal

from ..evals.trial import Arm, Decision, Phase


@dataclass(frozen=True, slots=True)
class RunStarted:
    run_id: str
    target: str
    commit: str
    metric: str
    direction: Literal["maximize", "minimize"]
    arms: tuple[Arm, ...]
    budget_seconds: float
    """Wall time given for all of it."""
    sandbox: str
    """Backend and its limits; `unconfined` is shown as a warning."""
    integrity: str
    resumed: bool = False
    jobs: int = 1
    """Device slots."""


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    phase: str
    """One word or a few: `reading the code`, `calibrating`, `searching`, `confirming`, `opening the sealed split`."""


@dataclass(frozen=True, slots=True)
class CodeRead:
    files: int
    findings: int
    tunables: int
    unread: tuple[str, ...] = ()
    """Files that could not be read."""


@dataclass(frozen=True, slots=True)
class ProposalMade:
    arm: Arm
    title: str
    kind: str
    proposer: str


@dataclass(frozen=True, slots=True)
class ProposalRefused:
    arm: Arm
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrialStarted:
    trial_id: str
    arm: Arm
    title: str
    """In plain words, as `evals.naming.trial_title` writes it."""


@dataclass(frozen=True, slots=True)
class TrialFinished:
    trial_id: str
    arm: Arm
    title: str
    score: float | None
    best: float | None
    """Best of this arm so far on the same split, this trial included."""
    decision: Decision
    reason: str
    device_seconds: float = 0.0
    phase: Phase = "search"


@dataclass(frozen=True, slots=True)
class BudgetUsed:
    arm: Arm
    used: float
    """Device seconds charged so far."""
    share: float
    """Device seconds this arm may use."""


@dataclass(frozen=True, slots=True)
class Promoted:
    title: str
    branch: str


@dataclass(frozen=True, slots=True)
class ModelCharged:
    arm: Arm
    model: str
    input_tokens: int
    output_tokens: int
    dollars: float | None
    """Of this call; None when the price of the model is not known."""


@dataclass(frozen=True, slots=True)
class Note:
    text: str
    level: Literal["info", "warning", "alarm"] = "info"
    """`alarm`: the run goes on, and what it will come to is in doubt; it stays on the screen, in red."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    run_id: str
    status: str
    """A status of the ledger's RunRecord: `done`, `interrupted`, `budget_exhausted`, `no_signal`, `failed`."""
    verdict: str
    """The sentence of the comparison; why it ended when there is none."""
    reports: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    ledger: str = ""


Event = (
    RunStarted
    | PhaseChanged
    | CodeRead
    | ProposalMade
    | ProposalRefused
    | TrialStarted
    | TrialFinished
    | BudgetUsed
    | Promoted
    | ModelCharged
    | Note
    | RunFinished
)

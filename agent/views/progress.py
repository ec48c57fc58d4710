"""Where a run stands, gathered from its events: what the terminal view draws."""

from collections import deque
from dataclasses import dataclass, field

from ..events import (
    BudgetUsed,
    Event,
    ModelCharged,
    Note,
    PhaseChanged,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialStarted,
)
from .sentences import sentence


@dataclass(slots=True)
class ArmProgress:
    used: float = 0.0
    share: float = 0.0
    best: float | None = None
    trials: int = 0
    failed: int = 0


@dataclass(slots=True)
class Running:
    arm: str
    title: str
    since: float


@dataclass(slots=True)
class Progress:
    """Changed by `apply` alone. Times are of the clock that the caller reads."""

    since: float
    started: RunStarted | None = None
    finished: RunFinished | None = None
    phase: str = "starting"
    dollars: float = 0.0
    model_calls: int = 0
    unpriced_calls: int = 0
    arms: dict[str, ArmProgress] = field(default_factory=dict)
    running: dict[tuple[str, str], Running] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    last: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=8))

    @property
    def baseline(self) -> float | None:
        arm = self.arms.get("baseline")
        return arm.best if arm else None

    def gain(self, arm: str) -> float | None:
        """How much better than the baseline the best of this arm is, positive is better whatever the direction."""
        best = self.arms[arm].best
        if best is None or self.baseline is None or self.started is None:
            return None
        return best - self.baseline if self.started.direction == "maximize" else self.baseline - best

    def apply(self, event: Event, now: float) -> None:
        match event:
            case RunStarted(arms=arms):
                self.started = event
                for arm in arms:
                    self.arms.setdefault(arm, ArmProgress())
            case PhaseChanged(phase=phase):
                self.phase = phase
            case BudgetUsed(arm=arm, used=used, share=share):
                of = self._arm(arm)
                of.used, of.share = used, share
            case TrialStarted(trial_id=trial, arm=arm, title=title):
                self.running[arm, trial] = Running(arm, title, now)
            case TrialFinished():
                self._count(event)
            case Note(level="alarm"):
                self.alarms.append(sentence(event))
                return
            case ModelCharged(dollars=dollars):
                self.model_calls += 1
                self.dollars += dollars or 0.0
                self.unpriced_calls += dollars is None
            case RunFinished(status=status):
                self.finished, self.phase = event, status.replace("_", " ")
                self.running.clear()
            case _:
                pass
        # What is running has its own place on the screen.
        if (said := sentence(event)) and not isinstance(event, TrialStarted):
            self.last.append((now, said))

    def _count(self, event: TrialFinished) -> None:
        self.running.pop((event.arm, event.trial_id), None)
        arm = self._arm(event.arm)
        arm.trials += 1
        arm.failed += event.decision == "crash"
        # Scores of the other splits are not on the same footing: they wait for the report.
        if event.best is not None and event.phase in ("calibrate", "search"):
            arm.best = event.best

    def _arm(self, name: str) -> ArmProgress:
        return self.arms.setdefault(name, ArmProgress())

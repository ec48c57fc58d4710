"""After the confirmation: the winners and the untouched code once more, trained several times as long."""

from functools import partial

from ...evals.compare import compare
from ...evals.scaling import SCALED_ARMS, scale_ups
from ...evals.trial import Arm
from ...evals.verdict import accepted
from ..attempt import Attempt, perform
from ..events import Note, PhaseChanged
from ..lab import Lab
from .arms import winner_commit
from .state import IDLE, State


def scale_up(lab: Lab, _state: State) -> State:
    """Does the gain hold? Nothing where the target has no rungs, the budget no room, or no arm a winner."""
    attempts = _attempts(lab)
    missing = [a for a in attempts if not lab.journal.trial(a.id(lab.run_id))]
    if not missing:
        return IDLE
    lab.say(PhaseChanged("scaling up"))
    first: dict[tuple[str, tuple[int, ...]], Attempt] = {}
    for attempt in attempts:
        first.setdefault((attempt.commit, attempt.seeds), attempt)
    made = [attempt for attempt in missing if attempt in first.values()]
    # Arms with the same winner share its runs: the first arm's are made, then the others take them over.
    for batch in (made, [attempt for attempt in missing if attempt not in made]):
        for attempt in batch:
            lab.slots.submit(partial(perform, lab, attempt))
        for _ in batch:
            lab.wait()
    comparison = compare(lab.journal.ledger, lab.run_id)
    upheld = {arm.arm for arm in comparison.arms if accepted(arm)}
    for found in scale_ups(lab.journal.trials(), lab.target.metric.direction, upheld):
        lab.say(Note(f"{found.arm} at {lab.target.rungs.scale_up if lab.target.rungs else 1} x: {found.holds}"))
    return IDLE


def _attempts(lab: Lab) -> list[Attempt]:
    """One attempt a seed and arm, seeds outermost: all arms meet the same minutes."""
    base = lab.checkout.base
    won = {arm: winner_commit(lab, arm) for arm in SCALED_ARMS if arm in lab.options.arms}
    arms: dict[Arm, str] = {"baseline": base, **{arm: commit for arm, commit in won.items() if commit != base}}
    if len(arms) == 1:
        return []
    return [Attempt(arm, "scale_up", commit, base, (seed,)) for seed in lab.scale_seeds for arm, commit in arms.items()]

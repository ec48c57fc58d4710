"""Where the loop goes next."""

from ..lab import Lab
from .ideas import mergeable
from .state import State
from .turns import turn


def after_check(lab: Lab, state: State) -> str:
    return "branch" if state["proposal"] else next_step(lab, state)


def after_run(lab: Lab, state: State) -> str:
    return "judge" if state["finished"] else next_step(lab, state)


def next_step(lab: Lab, _state: State) -> str:
    """The next node: another idea for the arm whose turn it is, a wait for a slot, or the confirmation."""
    if lab.slots.full or lab.orphans:
        return "run"
    arm = turn(lab)
    if arm is None:
        return "run" if lab.slots.busy else "confirm"
    if arm == "edits":
        return "merge" if mergeable(lab) else "propose"
    return "rerun" if arm == "rerun" else "tune"

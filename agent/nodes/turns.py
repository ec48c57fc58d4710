"""Whose turn it is: the arm that has something to try and has used least of its share."""

from collections.abc import Collection

from ...evals.trial import Arm
from ..lab import Lab
from ..policy import EDITS_PART, SEARCH_ARMS, next_arm
from .arms import tuned_parent
from .ideas import edits_exhausted


def turn(lab: Lab, among: Collection[Arm] = SEARCH_ARMS) -> Arm | None:
    """None: every arm of `among` has used its share, or waits for a trial of its own."""
    return next_arm(lab.journal.charged("search"), lab.in_flight(), ready(lab) & set(among), lab.the_plan)


def ready(lab: Lab) -> set[Arm]:
    """Arms that have something to try now."""
    has_space = {"random": lab.checkout.base, "tuner": lab.checkout.base, "edits+tuner": tuned_parent(lab)}
    arms: set[Arm] = set()
    for arm in lab.options.arms:
        if arm == "rerun":
            able = True  # there is always another seed
        elif arm == "edits":
            able = not edits_exhausted(lab)
        elif arm == "edits+tuner" and not has_space[arm]:
            able = _edits_far_enough(lab)
        else:
            able = bool(lab.space(has_space[arm] or lab.checkout.base)) and arm not in lab.exhausted
        if able:
            arms.add(arm)
    return arms


def _edits_far_enough(lab: Lab) -> bool:
    """Whether the edits arm has used the part of its share that `edits+tuner` has in common with it."""
    if "edits" not in lab.options.arms or "edits+tuner" in lab.exhausted:
        return False
    over = edits_exhausted(lab) and "edits" not in lab.in_flight()
    return over or lab.journal.charged("search").get("edits", 0.0) >= EDITS_PART * lab.the_plan.share

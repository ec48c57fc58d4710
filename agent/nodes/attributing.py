"""After the confirmation: the winner's edits, each alone and each left out, run on the seeds the budget still pays for."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ...evals.attribution import subsets
from ...evals.compare import compare
from ...evals.trial import ProposalRecord
from ...evals.verdict import accepted
from ...targets.errors import OperatorError
from ..attempt import Attempt, perform
from ..events import Note, PhaseChanged
from ..lab import Lab
from ..operators.apply import apply_edits
from ..policy import SEALED_PART
from ..records import edits_of
from .arms import winner_commit
from .state import IDLE, State
from .steps import steps

FEWEST_SEEDS = 2
"""One seed gives no interval."""


def attribute(lab: Lab, _state: State) -> State:
    """Measures the share of each of the accepted winner's edits; what is to run is written down before it runs."""
    ledger = lab.journal.ledger
    written = ledger.run(lab.run_id).settings.get("attribution")
    if written is None:
        written = _plan(lab)
        ledger.update_settings(lab.run_id, attribution=written)
    attempts = [
        Attempt("edits", "attribute", variant["commit"], lab.checkout.base, (seed,))
        for seed in written["seeds"]
        for variant in written["variants"]
        if variant["commit"]
    ]
    missing = [attempt for attempt in attempts if not lab.journal.trial(attempt.id(lab.run_id))]
    if not missing:
        return IDLE
    lab.say(PhaseChanged("measuring the share of each edit"))
    for attempt in missing:
        lab.slots.submit(partial(perform, lab, attempt))
    for done in range(1, len(missing) + 1):
        lab.wait()
        if done == len(missing) or done % max(1, len(missing) // 5) == 0:
            lab.say(Note(f"attribution: {done} of {len(missing)} runs"))
    return IDLE


def _plan(lab: Lab) -> dict[str, Any]:
    """What `evals.attribution` reads."""
    commit = winner_commit(lab, "edits")
    arm = compare(lab.journal.ledger, lab.run_id).arm("edits")
    units = steps(lab, commit)
    nothing: dict[str, Any] = {"commit": commit, "units": [], "variants": [], "seeds": [], "reason": ""}
    if arm is None or not accepted(arm):
        return nothing | {"reason": "no edit was accepted"}
    named = [{"id": unit.id, "title": unit.title, "kind": unit.kind} for unit in units]
    variants = [_variant(lab, units, part) for part in subsets([unit.kind for unit in units])]
    seeds, reason = _seeds(lab, commit, sum(variant["commit"] is not None for variant in variants))
    if reason:
        lab.say(Note(f"attribution: {reason}", "warning"))
    return nothing | {"units": named, "variants": variants, "seeds": seeds, "reason": reason}


def _variant(lab: Lab, units: Sequence[ProposalRecord], part: frozenset[int]) -> dict[str, Any]:
    """The commit that holds just these edits; without one where they cannot be applied without the others."""
    base = lab.checkout.base
    edits = tuple(edit for n in sorted(part) for edit in edits_of(units[n]))
    known = next(
        (r.commit for r in lab.journal.proposals() if r.commit and r.parent == base and edits_of(r) == edits), None
    )
    found: dict[str, Any] = {"units": sorted(part), "commit": known, "reason": ""}
    if known:
        return found
    try:
        changes = apply_edits(lab.code(base).sources, edits)
    except OperatorError as error:
        return found | {"reason": f"cannot be applied without the others: {error}"[:300]}
    numbers = "-".join(str(n) for n in sorted(part))
    message = f"Edits {numbers} of the winner, without the others\n"
    commit = lab.checkout.commit(base, changes, message, f"refs/branchlab/{lab.run_id}/attribution-{numbers}")
    return found | {"commit": commit}


def _seeds(lab: Lab, winner: str, variants: int) -> tuple[list[int], str]:
    """The first confirmation seeds for which there is budget left, the sealed split's part put aside."""
    confirm = list(lab.confirm_seeds)
    if not variants:
        return confirm, ""
    plan, spent, sealed = lab.the_plan, lab.spent_seconds, _sealed_seconds(lab)
    runs = lab.journal.runs(winner, confirm, "confirm")
    each = max(plan.run_seconds, sum(run.device_seconds for run in runs) / max(1, len(runs)))
    affordable = int(max(0.0, plan.total - spent - sealed) // (variants * each))
    if affordable >= len(confirm):
        return confirm, ""
    if affordable >= FEWEST_SEEDS:
        return confirm[:affordable], f"the budget was enough for {affordable} of {len(confirm)} seeds"
    needed = (FEWEST_SEEDS * variants * each) + spent + sealed - plan.total
    return [], f"{needed:.0f} more device seconds would have been needed"


def _sealed_seconds(lab: Lab) -> float:
    """What the sealed split will take: the confirmed models predict and are scored once more, and nothing is trained."""
    if lab.target.splits is None:
        return 0.0
    commits = {lab.checkout.base, *(winner_commit(lab, arm) for arm in lab.options.arms)}
    runs = [run for commit in commits for run in lab.journal.runs(commit, lab.confirm_seeds, "confirm")]
    return sum(
        SEALED_PART * run.device_seconds if run.train_seconds is None else run.device_seconds - run.train_seconds
        for run in runs
    )

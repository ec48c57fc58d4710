"""The family of a run: the distinct winners of its arms, tested together on the confirm split."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .acceptance import ALPHA, Finalist, Standing, judge
from .difference import difference
from .trial import Run


def finalist_of(
    runs: Sequence[Run], reference: Sequence[Run], direction: str, planned: Sequence[int], fault: str = ""
) -> Finalist:
    """A finalist's runs held against the reference's, over the planned seeds.

    A seed on which the finalist has no score ends its chances: leaving it out would reward failing where it would lose. A
    seed on which the reference has none tells nothing and is left out.
    """
    mine = {run.seed: run for run in runs}
    theirs = {run.seed: run for run in reference if run.score}
    failed = next((run for run in runs if run.score is None), None)
    if failed and not fault:
        fault = f"no score on seed {failed.seed} ({failed.status}: {failed.reason})"[:300]
    sign = 1.0 if direction == "maximize" else -1.0
    gains = [
        sign * (score.value - reference_score.value)
        for seed in planned
        if seed in mine and seed in theirs
        if (score := mine[seed].score) and (reference_score := theirs[seed].score)
    ]
    return Finalist(gains, lambda level: difference(runs, reference, direction, level=level), fault)


def family_of(winners: Mapping[str, str], base: str, planned: Sequence[int]) -> dict[str, Any]:
    """What a run writes down before the first of its finalists meets a fresh seed; `winners` by arm.

    Arms with one winner are one finalist; the untouched code is none.
    """
    commits = dict.fromkeys(commit for commit in winners.values() if commit != base)
    return {"alpha": ALPHA, "planned": list(planned), "family": list(commits)}


def standings(
    written: Mapping[str, Any],
    runs: Mapping[str, Sequence[Run]],
    reference: Sequence[Run],
    direction: str,
    faults: Mapping[str, str],
    *,
    sequential: bool = False,
) -> dict[str, Standing]:
    """By commit, where each finalist of the family that was written down stands.

    Args:
        written: as `family_of` made it.
        runs: of each finalist on the confirm split, as far as there are any.
        faults: why a finalist cannot be accepted whatever it gained, such as a guard that it breaks.
        sequential: stopping as soon as the test has passed is meant. Else what has passed is undecided until all has run: the
            budget ended in the middle.
    """
    planned = written["planned"]
    family = {commit: finalist_of(runs.get(commit, ()), reference, direction, planned) for commit in written["family"]}
    found = judge(family, len(planned), written["alpha"])
    if not sequential:
        found = {name: _cut_short(one, (runs.get(name, ()), reference), planned) for name, one in found.items()}
    found = {name: _without_reference(one, (runs.get(name, ()), reference), planned) for name, one in found.items()}
    return {name: _held(one, runs.get(name, ()), faults.get(name, "")) for name, one in found.items()}


def _cut_short(standing: Standing, sides: tuple[Sequence[Run], Sequence[Run]], planned: Sequence[int]) -> Standing:
    ran = _attempted(sides, planned)
    if not standing.better or len(ran) == len(planned):
        return standing
    return replace(standing, state="undecided", reason=f"{len(ran)} of {len(planned)} planned seeds have run")


def _without_reference(
    standing: Standing, sides: tuple[Sequence[Run], Sequence[Run]], planned: Sequence[int]
) -> Standing:
    """Nothing is left that could decide when every seed has run and the untouched code has no score on one of them."""
    failed = [run.seed for run in sides[1] if run.score is None]
    if standing.state != "undecided" or not failed or len(_attempted(sides, planned)) < len(planned):
        return standing
    return replace(standing, state="not better", reason=f"the untouched code has no score on seed {failed[0]}")


def _attempted(sides: tuple[Sequence[Run], Sequence[Run]], planned: Sequence[int]) -> set[int]:
    mine, theirs = ({run.seed for run in side} for side in sides)
    return mine & theirs & set(planned)


def _held(standing: Standing, runs: Sequence[Run], fault: str) -> Standing:
    """What is measured over all seeds, such as the mean of a guard, is no fault before all of them have run; nor is it passed."""
    if not fault or standing.state == "not better":
        return standing
    if len(runs) < standing.planned:
        return replace(standing, state="undecided", reason=f"so far: {fault}")
    return replace(standing, state="not better", reason=fault)

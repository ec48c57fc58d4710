"""Which edit gained what: the merged winner, each of its edits alone on the base, and the winner without each of them.

Gains do not add. `alone` (add-one-in) is what an edit does to the untouched code, `last` (leave-one-out) what it still adds to
all the others; where the two differ, edits depend on each other or do the same work twice. Interaction is what the merge
gained beyond the sum of its edits alone. All are contrasts of runs on the same seeds and examples, with the intervals of
`difference`, so the luck that edits have in common cancels. Intervals are 95 % each, without correction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .difference import Difference, difference
from .trial import Run, Score

Runs = Mapping[frozenset[int], Sequence[Run]]
"""Of each measured subset of the edits, by their numbers; the empty one is the untouched code, the full one the winner."""


@dataclass(frozen=True, slots=True)
class Share:
    """One edit, or all edits of one kind."""

    title: str
    kind: str
    edits: tuple[int, ...]
    alone: Difference | None
    """Against the untouched code; None when it cannot be applied without others, or did not run."""
    last: Difference | None
    """The winner against the winner without it; None when the others cannot be applied without it, or did not run."""
    reason: str = ""
    """Why one of them is missing."""


@dataclass(frozen=True, slots=True)
class Attribution:
    edits: tuple[Share, ...]
    kinds: tuple[Share, ...]
    whole: Difference
    """The winner against the untouched code, on the seeds used here."""
    interaction: Difference | None
    """`whole` less the sum of `alone`; None unless every edit was measured alone."""
    seeds: int
    reason: str = ""
    """Why nothing, or not everything, was measured."""


def subsets(kinds: Sequence[str]) -> list[frozenset[int]]:
    """The subsets of edits to measure besides none and all: each edit and each kind, alone and left out."""
    every = frozenset(range(len(kinds)))
    groups = [frozenset({n}) for n in every] + [_of_kind(kinds, kind) for kind in dict.fromkeys(kinds)]
    wanted = dict.fromkeys(part for group in groups for part in (group, every - group))
    return [part for part in wanted if part and part != every]


def attribution(written: Mapping[str, Any], runs: Runs, direction: str) -> Attribution | None:
    """From what the run wrote down about its winner's edits, and the runs there are; None when it wrote down nothing.

    Args:
        written: `units` (title, kind), `variants` (units, reason), `seeds`, `reason`.
    """
    units = written.get("units") or []
    if not units:
        return None
    kinds = [str(unit["kind"]) for unit in units]
    seeds = set(written["seeds"])
    kept = {part: [run for run in found if run.seed in seeds] for part, found in runs.items()}
    whys = {frozenset(variant["units"]): str(variant["reason"]) for variant in written["variants"]}
    book = _Book(kept, whys, frozenset(range(len(units))), direction)
    edits = tuple(book.share(str(unit["title"]), kinds[n], frozenset({n})) for n, unit in enumerate(units))
    by_kind = tuple(book.share(kind, kind, _of_kind(kinds, kind)) for kind in dict.fromkeys(kinds))
    whole = book.contrast({book.every: 1.0, frozenset(): -1.0})
    if whole is None:
        return None
    terms = {book.every: 1.0, frozenset(): len(units) - 1.0} | {frozenset({n}): -1.0 for n in book.every}
    interaction = book.contrast(terms) if len(units) > 1 else None
    return Attribution(edits, by_kind, whole, interaction, whole.n, str(written.get("reason", "")))


@dataclass(frozen=True, slots=True)
class _Book:
    runs: Runs
    reasons: Mapping[frozenset[int], str]
    every: frozenset[int]
    direction: str

    def share(self, title: str, kind: str, part: frozenset[int]) -> Share:
        rest = self.every - part
        alone = self.contrast({part: 1.0, frozenset(): -1.0})
        last = self.contrast({self.every: 1.0, rest: -1.0})
        missing = [self._why(side) for side, found in ((part, alone), (rest, last)) if found is None]
        return Share(title, kind, tuple(sorted(part)), alone, last, "; ".join(filter(None, missing)))

    def contrast(self, terms: Mapping[frozenset[int], float]) -> Difference | None:
        """None when a term has no run, or one without a score: leaving that seed out would reward failing where it would lose."""
        if any(run.score is None for part in terms for run in self.runs.get(part, ())):
            return None
        sides = [(weight, {r.seed: r for r in self.runs.get(part, ()) if r.score}) for part, weight in terms.items()]
        common = set.intersection(*(set(runs) for _, runs in sides))
        if not common:
            return None
        combined = [_combined([(weight, runs[seed]) for weight, runs in sides]) for seed in sorted(common)]
        return difference(combined, [_nothing(run) for run in combined], self.direction)

    def _why(self, part: frozenset[int]) -> str:
        if why := self.reasons.get(part, ""):
            return why
        failed = next((run for run in self.runs.get(part, ()) if run.score is None), None)
        return f"no score ({failed.status}: {failed.reason})"[:200] if failed else "not measured"


def _combined(terms: Sequence[tuple[float, Run]]) -> Run:
    """A run whose scores are the weighted sum of several runs' of one seed; without per-example values unless all have them."""
    first = terms[0][1]
    scores = [(weight, run.score) for weight, run in terms if run.score]
    value = sum(weight * score.value for weight, score in scores)
    tables = [(weight, score.per_example) for weight, score in scores if score.per_example is not None]
    same = len(tables) == len(scores) and len({len(values) for _, values in tables}) == 1
    examples = (
        tuple(
            sum(w * v for (w, _), v in zip(tables, row, strict=True))
            for row in zip(*(t for _, t in tables), strict=True)
        )
        if same
        else None
    )
    groups = first.score.groups if first.score else None
    return _run(first, Score(scores[0][1].metric, value, examples, groups=groups if examples else None))


def _nothing(run: Run) -> Run:
    """The run a contrast is held against: zero everywhere."""
    if (score := run.score) is None:
        return run
    examples = None if score.per_example is None else (0.0,) * len(score.per_example)
    return _run(run, Score(score.metric, 0.0, examples, groups=score.groups))


def _run(like: Run, score: Score) -> Run:
    return Run(like.seed, like.split, "ok", "", score, 0.0, 0.0, 0.0, "", like.backend)


def _of_kind(kinds: Sequence[str], kind: str) -> frozenset[int]:
    return frozenset(n for n, found in enumerate(kinds) if found == kind)

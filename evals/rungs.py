"""The ladder of scales: whether a candidate's short run sends it on to a full one. Pure functions of the ledger's rows.

Asynchronous successive halving (Jamieson & Talwalkar 2016; Li et al. 2020, in the form that decides once): a candidate
goes on when it is in the top part of what its arm has seen at the short rung. The top part is 1/eta only as far as the
measured rank correlation of short with full scores justifies it. With fewer than FEWEST_PAIRS pairs, or a Spearman
correlation of at most LEAST_CORRELATION, every candidate goes on; above that the part falls in a straight line to 1/eta
at a correlation of 1. Each arm goes by its own pairs: what tuning shows says nothing about an architecture that starts
slowly. One in SAMPLE of those that would be pruned, and the first, is run to the end all the same, and counts like any
other: it shows how often pruning is wrong.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from .equal_compute import SEARCH_ARMS
from .trial import Arm, Run, Trial

FEWEST_PAIRS = 5
LEAST_CORRELATION = 0.5
SAMPLE = 4
TAKEN_OVER = "+t"
"""Ends the id of a trial that an arm took over from another with its candidate; a content hash has no such end."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What one candidate scored at the short rung and at full length, as means over common seeds."""

    short: float
    full: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an arm knows of its short rung when a candidate has just run there."""

    seen: tuple[float, ...]
    """Short scores of the arm's earlier candidates."""
    pairs: tuple[Pair, ...]

    @property
    def correlation(self) -> float | None:
        return spearman([pair.short for pair in self.pairs], [pair.full for pair in self.pairs])


@dataclass(frozen=True, slots=True)
class Promotion:
    goes_on: bool
    reason: str


def short_score(trial: Trial) -> float | None:
    """Mean over the runs at the short rung; None without any, or when one has no score."""
    return _mean([run for run in trial.ladder if run.rung == "short"])


def pair_of(trial: Trial) -> Pair | None:
    """Both scores over the seeds that ran at both lengths; None when there are none, or one has no score.

    A candidate that was given up after its first full seed is a pair too: leaving the worst out would hide a correlation.
    """
    full = {run.seed: run for run in trial.runs if run.rung == "full"}
    short = [run for run in trial.ladder if run.rung == "short" and run.seed in full]
    before, after = _mean(short), _mean([full[run.seed] for run in short])
    return None if before is None or after is None else Pair(before, after)


def evidence_of(trials: Sequence[Trial]) -> Evidence:
    """From an arm's search trials, in the order they ended."""
    seen = tuple(short for t in trials if (short := short_score(t)) is not None)
    return Evidence(seen, tuple(pair for t in trials if (pair := pair_of(t))))


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of an arm's candidates on the rungs."""

    arm: Arm
    seen: int
    """Ran at the short rung to a score."""
    full: int
    """Ran at full length, the sample of pruned ones too."""
    pruned: int
    """Never ran at full length."""
    fallen: int
    """Left no score at a shorter rung."""
    sampled: int
    wrong: int
    """Of those sampled, better at full length than all that the arm had kept before: winners that pruning would have
    lost. Luck alone can make one, so the rate is rather too high than too low."""
    correlation: float | None
    pairs: int

    @property
    def upper(self) -> float | None:
        """Upper end of the one-sided 95 % interval of the rate of wrong prunings (Clopper & Pearson 1934)."""
        if not self.sampled:
            return None
        if self.wrong == self.sampled:
            return 1.0
        from scipy.stats import beta

        return float(beta.ppf(0.95, self.wrong + 1, self.sampled - self.wrong))


def summaries(trials: Sequence[Trial], direction: str) -> tuple[Summary, ...]:
    """One for each search arm that has candidates; those taken over from another arm count in that arm only."""
    found = []
    for arm in SEARCH_ARMS:
        own = [t for t in trials if t.arm == arm and t.phase == "search" and not taken_over(t)]
        evidence = evidence_of(own)
        sample = [t for t in own if t.pruning == "sampled"]
        summary = Summary(
            arm=arm,
            seen=len(evidence.seen),
            full=sum(t.rung == "full" and bool(t.ladder) for t in own),
            pruned=sum(t.pruning == "pruned" for t in own),
            fallen=sum(t.decision == "crash" and t.rung != "full" for t in own),
            sampled=len(sample),
            wrong=_winners(own, direction),
            correlation=evidence.correlation,
            pairs=len(evidence.pairs),
        )
        found += [summary] if own else []
    return tuple(found)


def _winners(trials: Sequence[Trial], direction: str) -> int:
    """Sampled trials that became the best of these, which are in the order they ended."""
    sign, best, count = 1.0 if direction == "maximize" else -1.0, -math.inf, 0
    for trial in trials:
        score = _mean(trial.runs) if trial.decision == "keep" else None
        if score is not None and sign * score > best:
            best = sign * score
            count += trial.pruning == "sampled"
    return count


def taken_over(trial: Trial) -> bool:
    """Whether the trial is another arm's, booked on this one as well; its candidate was proposed for that arm."""
    return trial.id.endswith(TAKEN_OVER)


def decide(short: float, evidence: Evidence, eta: float, direction: str) -> Promotion:
    """Whether a candidate with this short score goes on to full length, and why, in one line."""
    n, correlation = len(evidence.pairs), evidence.correlation
    if n < FEWEST_PAIRS:
        return Promotion(
            True, f"{n} candidates have run short and full, {FEWEST_PAIRS} are needed to prune: it goes on"
        )
    part = top_part(correlation, eta)
    if correlation is None or part >= 1.0:
        said = "cannot be measured" if correlation is None else f"is {correlation:.2f}"
        return Promotion(True, f"the rank correlation of short with full runs {said} over {n}: everything goes on")
    better = [score for score in evidence.seen if (score > short if direction == "maximize" else score < short)]
    seen = len(evidence.seen) + 1
    places = max(1, math.ceil(part * seen - 1e-9))
    where = f"place {len(better) + 1} of {seen} at the short rung, and the best {places} go on"
    return Promotion(len(better) < places, f"{where} (rank correlation {correlation:.2f} over {n})")


def top_part(correlation: float | None, eta: float) -> float:
    """The part of candidates that goes on: 1 up to LEAST_CORRELATION, then falling to 1/eta at a correlation of 1."""
    if correlation is None or correlation <= LEAST_CORRELATION:
        return 1.0
    return 1.0 - (1.0 - 1.0 / eta) * (min(correlation, 1.0) - LEAST_CORRELATION) / (1.0 - LEAST_CORRELATION)


def sampled(seed: int, commit: str, pruned_before: int) -> bool:
    """Whether a candidate that would be pruned is run to the end all the same; the same answer whenever it is asked."""
    digest = hashlib.sha256(f"{seed}:{commit}".encode()).digest()
    return pruned_before == 0 or digest[0] % SAMPLE == 0


def estimated_full(short: float, pairs: Sequence[Pair]) -> float:
    """What a pruned candidate is told to its tuner as: its short score, moved by the median step from short to full.

    A pruned candidate is no failure, and a score of another length must not stand beside full ones as it is.
    """
    return short + (median(pair.full - pair.short for pair in pairs) if pairs else 0.0)


def spearman(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None below two pairs or where one side does not vary.

    Raises: ValueError for sequences of different lengths.
    """
    if len(xs) != len(ys):
        raise ValueError(f"{len(xs)} and {len(ys)} values are no pairs")
    if len(xs) < 2:
        return None
    a, b = _ranks(xs), _ranks(ys)
    middle = (len(xs) + 1) / 2
    spread = math.sqrt(sum((r - middle) ** 2 for r in a) * sum((r - middle) ** 2 for r in b))
    if spread == 0.0:
        return None
    return max(-1.0, min(1.0, sum((p - middle) * (q - middle) for p, q in zip(a, b, strict=True)) / spread))


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: ordered.index(value) for value in set(ordered)}
    count = {value: ordered.count(value) for value in first}
    return [first[value] + (count[value] + 1) / 2 for value in values]


def _mean(runs: Sequence[Run]) -> float | None:
    values = [run.score.value for run in runs if run.score is not None]
    return fmean(values) if values and len(values) == len(runs) else None

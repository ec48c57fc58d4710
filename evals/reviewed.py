"""What came of a review, from its rows in the ledger alone: every format that shows it starts here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from .acceptance import Standing
from .claim import Claim, parse_claim, to_trailers
from .compare import compare
from .difference import Difference, difference
from .ledger import Ledger
from .recheck import Recheck, recheck
from .trial import Run, Trial, Verdict

_WORDS = {"better": "better", "not better": "a tie", "undecided": "undecided"}


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One branch judged against its base. Names and reasons are strangers' text."""

    run_id: str
    target: str
    branch: str
    commit: str
    base: str
    metric: str
    direction: str
    integrity: str
    sandbox: str
    verdicts: tuple[Verdict, ...]
    """The claim's facts, then the checks, then the gates and guards of the runs, in the order they were asked."""
    runs: tuple[Run, ...]
    """Of the branch, on the confirm split; empty when it was refused before any run."""
    base_score: float | None
    score: float | None
    """Means over the seeds that have a score."""
    gain: Difference | None
    """Paired by seed; None when it was refused before any run."""
    standing: Standing | None
    """Whether the gain is accepted; None when it was refused before any run."""
    base_seconds: float
    seconds: float
    """Device seconds charged to the base and to the branch."""
    claim: Claim | None
    again: Recheck | None
    """The claimed effect against the one measured here; None without a claimed effect or without runs."""
    caveats: tuple[str, ...]

    @property
    def refused(self) -> Verdict | None:
        """The question whose answer made running it pointless."""
        return None if self.runs else next((v for v in self.verdicts if not v.passed), None)

    @property
    def passed(self) -> bool:
        """Whether the branch may be merged on this evidence: every question is answered well, every seed has a score, the
        gain is accepted (`evals/acceptance.py`), and a claimed effect holds (`evals/recheck.py` says when one does)."""
        sound = all(v.passed for v in self.verdicts) and all(run.score for run in self.runs)
        return sound and self.standing is not None and self.standing.better and (self.again is None or self.again.holds)

    @property
    def sentence(self) -> str:
        if self.refused:
            return f"{self.branch} is refused before any run: {self.refused.reason}"
        failed = next((run for run in self.runs if run.score is None), None)
        if failed:
            return f"{self.branch} fails: {failed.status} on seed {failed.seed}: {failed.reason}"
        if self.gain is None or self.standing is None:
            return f"{self.branch} was not judged: there are no runs of it"
        measured = _measured(self.gain, self.standing, self.metric)
        guarded = next((v for v in self.verdicts if not v.passed), None)
        if guarded:
            return f"{self.branch} is not accepted: {guarded.gate}: {guarded.reason}; {measured}{self._of_claim()}"
        return f"{self.branch} is {measured}{self._of_claim()}"

    def _of_claim(self) -> str:
        if self.again is None:
            return ""
        return f"; its claim {'holds' if self.again.holds else 'does not hold'}: {self.again.reason}"


def _measured(gain: Difference, standing: Standing, metric: str) -> str:
    word = _WORDS[standing.state]
    if standing.state == "not better" and not gain.tie:
        word = "worse" if (gain.mean or 0.0) < 0 else f"not accepted ({standing.reason})"
    interval = f" [{gain.low:+.4g}, {gain.high:+.4g}]" if gain.low is not None and gain.high is not None else ""
    return (
        f"{word}: {metric} {gain.mean or 0.0:+.4g}{interval} over {gain.n} of {standing.planned} seeds ({gain.method})"
    )


def to_settings(
    branch: str, commit: str, base: str, claim: Claim | None, verdicts: tuple[Verdict, ...]
) -> dict[str, Any]:
    """What a review writes into its run's settings before anything runs; `reviewed` reads it."""
    rows = [{"gate": v.gate, "passed": v.passed, "reason": v.reason} for v in verdicts]
    trailers = to_trailers(claim) if claim else None
    return {"branch": branch, "commit": commit, "base": base, "claim": trailers, "verdicts": rows}


def reviewed(ledger: Ledger, run_id: str) -> Reviewed:
    """The review `run_id`, whatever state it is in. Raises: LedgerError when there is no such run."""
    record = ledger.run(run_id)
    settings: Mapping[str, Any] = record.settings
    asked: Mapping[str, Any] = settings["review"]
    trials = ledger.trials(run_id, phase="confirm")
    base, mine = _runs(trials, "baseline"), _runs(trials, "review")
    direction = str(settings["direction"])
    gain = difference(mine, base, direction) if mine and base else None
    judged = compare(ledger, run_id) if mine else None
    arm = judged.arm("review") if judged else None
    claim = parse_claim(asked["claim"]) if asked["claim"] else None
    effect = claim.effect if claim else None
    verdicts = [Verdict(**row) for row in asked["verdicts"]]
    verdicts += [v for t in trials if t.arm == "review" for v in t.verdicts]
    verdicts += arm.guards if arm else ()
    spent = ledger.device_seconds(run_id)
    return Reviewed(
        run_id=run_id,
        target=record.target,
        branch=asked["branch"],
        commit=asked["commit"],
        base=asked["base"],
        metric=str(settings["metric"]),
        direction=direction,
        integrity=str(settings["integrity"]),
        sandbox=str(settings["sandbox"]),
        verdicts=tuple(dict.fromkeys(verdicts)),
        runs=tuple(mine),
        base_score=_mean(base),
        score=_mean(mine),
        gain=gain,
        standing=arm.standing if arm else None,
        base_seconds=spent.get("baseline", 0.0),
        seconds=spent.get("review", 0.0),
        claim=claim,
        again=recheck(effect, gain) if effect and gain else None,
        caveats=(*_of_claim(claim, mine), *(judged.caveats if judged else ())),
    )


def _of_claim(claim: Claim | None, runs: list[Run]) -> Iterator[str]:
    """What limits the comparison with the claim."""
    if claim is None:
        return
    if claim.effect is None:
        yield "The tip's claim holds no number: nobody had measured just this commit."
        return
    if claim.effect.split == "search":
        yield (
            "The claim was measured on the search split, which chose this edit among others, so it is biased upward; here "
            "the confirm split was used."
        )
    shared = len({run.seed for run in runs} & set(claim.effect.seeds)) if claim.effect.split == "confirm" else 0
    if shared:
        yield (
            f"{shared} of {len(runs)} seeds are those of the claim: the measurement was repeated, not the luck of its seeds."
        )


def _runs(trials: list[Trial], arm: str) -> list[Run]:
    by_seed = {run.seed: run for t in trials if t.arm == arm for run in t.runs}
    return [by_seed[seed] for seed in sorted(by_seed)]


def _mean(runs: list[Run]) -> float | None:
    values = [run.score.value for run in runs if run.score]
    return fmean(values) if values else None

"""From the ledger to the one sentence: what each arm gained over the untouched code, at what price."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from .acceptance import Standing as Standing
from .attribution import Attribution as Attribution
from .attribution import attribution
from .by_kind import EditGain as EditGain
from .by_kind import KindGain as KindGain
from .by_kind import edit_gains, kind_gains
from .difference import Difference as Difference
from .difference import difference as difference
from .equal_compute import EqualCompute as EqualCompute
from .equal_compute import check_equal_compute
from .gates.guards import PREFIX, confirmed, recorded
from .ledger import Ledger
from .rows import RunRecord
from .standings import family_of, standings
from .trial import Arm, Params, Phase, ProposalRecord, Run, Trial, Verdict
from .verdict import caveats_of, sentence

ARMS: tuple[Arm, ...] = ("baseline", "rerun", "random", "tuner", "edits", "edits+tuner", "review")
UNTOUCHED: tuple[Arm, ...] = ("baseline", "rerun")
"""Arms whose winner is the untouched code by construction."""


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm: its winner, what it gained, what it cost. Gains are against the baseline; positive is better."""

    arm: Arm
    commit: str | None
    """The winner: what was confirmed. None when the arm confirmed nothing."""
    params: Params
    kind: str
    """Of the winner's proposal; empty when it is the untouched code."""
    proposal_id: str | None
    search_score: float | None
    """Mean of the winner on the search split: chosen for being high, so biased upward."""
    confirm_score: float | None
    """Mean over fresh seeds on the confirm split, of the seeds that have a score."""
    gain: Difference | None
    """On the confirm split, paired by seed: the number to quote. None for the baseline, for `rerun`, which is the baseline
    (so its gain is 0 and says nothing), and for a missing side."""
    seeds_left: int
    """Of the planned confirmation, those that have not run."""
    standing: Standing | None
    """Whether the gain is accepted, under the error budget of the whole run. None for what is no finalist."""
    sealed_score: float | None
    sealed_gain: Difference | None
    trials: int
    """Search trials, those taken over from another arm included."""
    failures: Mapping[str, int]
    """Runs without a score, by status, of all phases."""
    refused: int
    """Proposals that never ran."""
    device_seconds: float
    lost_seconds: float
    """Of them, those of runs that a stop or a failing sandbox cut off: in no trial, and in no arm's share."""
    search_seconds: float
    """Of `device_seconds`, those charged to the search, which is what the arms have equal shares of."""
    cpu_seconds: float
    dollars: float
    unpriced_calls: int
    """Model calls whose price nobody knows, not in `dollars`."""
    guards: tuple[Verdict, ...] = ()
    """On the winner, over its confirmation; none for the baseline and for the untouched code."""

    @property
    def broken(self) -> tuple[str, ...]:
        """Guards the winner breaks: it may be better, and is not accepted."""
        return tuple(v.gate.removeprefix(PREFIX) for v in self.guards if not v.passed)


@dataclass(frozen=True, slots=True)
class Comparison:
    run: RunRecord
    metric: str
    direction: str
    arms: tuple[ArmResult, ...]
    edits_minus_tuner: Difference | None
    """On the confirm split, paired by seed; positive means that editing gained more."""
    equal_compute: EqualCompute
    edits: tuple[EditGain, ...]
    """Every single edit that ran, against its parent on the search split."""
    kinds: tuple[KindGain, ...]
    attribution: Attribution | None
    """The shares of the accepted winner's edits, on the confirm split; None when the run has not come to it."""
    tuning_of_edits: Difference | None
    """What tuning added to the edits: `edits+tuner` less `edits`, on the confirm split."""
    sealed_openings: int
    caveats: tuple[str, ...]
    verdict: str
    campaign: int
    """How many runs and reviews of this code and these confirmation seeds the ledger holds up to this one."""
    no_signal: bool
    """Nothing was confirmed: no arm has a score on fresh seeds to hold against the baseline's."""

    def arm(self, name: Arm) -> ArmResult | None:
        return next((arm for arm in self.arms if arm.arm == name), None)


def compare(ledger: Ledger, run_id: str) -> Comparison:
    """The comparison of a run's arms, from its rows alone, whatever state the run is in.

    Raises: LedgerError when there is no such run.
    """
    record = ledger.run(run_id)
    trials = ledger.trials(run_id)
    proposals = ledger.proposals(run_id)
    direction = str(record.settings.get("direction", "maximize"))
    rows = _Rows(trials, proposals, direction)
    accepted = _standings(record, rows)
    present = [arm for arm in ARMS if arm in record.settings.get("arms", ()) or rows.of(arm)]
    spent = ledger.device_seconds(run_id)
    lost = ledger.lost_seconds(run_id)
    arms = tuple(
        replace(
            _arm_result(ledger, run_id, rows, arm, (spent.get(arm, 0.0), lost.get(arm, 0.0))),
            seeds_left=_seeds_left(record, rows, arm),
            standing=None if arm in UNTOUCHED else accepted.get(rows.winner(arm) or ""),
            guards=_guards(rows, arm, record),
        )
        for arm in present
    )
    edits = edit_gains(trials, proposals, direction)
    draft = Comparison(
        run=record,
        metric=str(record.settings.get("metric", "score")),
        direction=direction,
        arms=arms,
        edits_minus_tuner=rows.difference("edits", "tuner"),
        equal_compute=check_equal_compute(
            trials, (record.settings.get("plan") or {}).get("share"), record.settings.get("arms", ()), _probes(record)
        ),
        edits=edits,
        kinds=kind_gains(edits, proposals),
        attribution=attribution(record.settings.get("attribution") or {}, _variant_runs(record, rows), direction),
        tuning_of_edits=rows.difference("edits+tuner", "edits"),
        sealed_openings=ledger.sealed_openings(run_id),
        caveats=(),
        verdict="",
        no_signal=not any(arm.gain and arm.gain.n for arm in arms),
        campaign=_campaign(ledger, record),
    )
    return _in_words(draft, trials)


def _in_words(draft: Comparison, trials: Sequence[Trial]) -> Comparison:
    return replace(draft, caveats=caveats_of(draft, trials), verdict=sentence(draft))


class _Rows:
    """A run's trials, asked by arm and phase."""

    def __init__(self, trials: Sequence[Trial], proposals: Sequence[ProposalRecord], direction: str) -> None:
        self.trials, self.proposals, self.direction = trials, proposals, direction

    def of(self, arm: Arm, phase: Phase | None = None) -> list[Trial]:
        return [t for t in self.trials if t.arm == arm and phase in (None, t.phase)]

    def winner(self, arm: Arm) -> str | None:
        """The commit that was confirmed; of several, the last."""
        confirmed = self.of(arm, "confirm")
        return confirmed[-1].commit if confirmed else None

    def runs(self, arm: Arm, phase: Phase) -> list[Run]:
        """The winner's runs in this phase, one a seed."""
        winner = self.winner(arm)
        by_seed = {run.seed: run for t in self.of(arm, phase) if t.commit == winner for run in t.runs}
        return [by_seed[seed] for seed in sorted(by_seed)]

    def difference(self, arm: Arm, reference: Arm, phase: Phase = "confirm") -> Difference | None:
        mine, theirs = self.runs(arm, phase), self.runs(reference, phase)
        return difference(mine, theirs, self.direction) if mine and theirs else None

    def proposal(self, arm: Arm, commit: str | None) -> ProposalRecord | None:
        """The proposal that made a commit, this arm's own first."""
        made = [p for p in self.proposals if commit and p.commit == commit]
        return next((p for p in made if p.arm == arm), made[0] if made else None)


def _seeds_left(record: RunRecord, rows: _Rows, arm: Arm) -> int:
    planned = (record.settings.get("acceptance") or {}).get("planned", ())
    return len(set(planned) - {run.seed for run in rows.runs(arm, "confirm")})


def _campaign(ledger: Ledger, record: RunRecord) -> int:
    def same(other: RunRecord) -> bool:
        seeds, theirs = (set(r.settings.get("acceptance", {}).get("planned") or ()) for r in (record, other))
        return other.target == record.target and other.commit == record.commit and bool(seeds & theirs)

    earlier = (other for other in ledger.runs() if other.created < record.created)
    return 1 + sum(same(other) for other in earlier)


def _probes(record: RunRecord) -> float:
    """Device seconds of the probes, which are part of the edits arm's search."""
    return float((record.settings.get("probes") or {}).get("seconds", 0.0))


def _standings(record: RunRecord, rows: _Rows) -> dict[str, Standing]:
    """By commit. A run that wrote no family down, an older one, has that of its winners."""
    arms = [arm for arm in ARMS if arm not in UNTOUCHED and rows.winner(arm)]
    planned = sorted({run.seed for t in rows.trials if t.phase == "confirm" for run in t.runs})
    winners = {str(arm): rows.winner(arm) or "" for arm in arms}
    written = record.settings.get("acceptance") or family_of(winners, rows.winner("baseline") or record.commit, planned)
    runs = {rows.winner(arm) or "": rows.runs(arm, "confirm") for arm in arms}
    broken = {rows.winner(arm) or "": v for arm in arms for v in _guards(rows, arm, record) if not v.passed}
    faults = {commit: f"{verdict.gate}: {verdict.reason}" for commit, verdict in broken.items()}
    reference, sequential = rows.runs("baseline", "confirm"), bool(rows.winner("review"))
    return standings(written, runs, reference, rows.direction, faults, sequential=sequential)


def _arm_result(ledger: Ledger, run_id: str, rows: _Rows, arm: Arm, seconds: tuple[float, float]) -> ArmResult:
    device_seconds, lost_seconds = seconds
    winner = rows.winner(arm)
    searched = rows.of(arm, "search")
    chosen = next((t for t in reversed(searched) if t.commit == winner), None)
    if arm == "rerun":  # every trial is of one commit: the luckiest is its winner
        chosen = _luckiest(searched, rows.direction)
    proposal = rows.proposal(arm, winner)
    every_run = [run for t in rows.of(arm) for run in t.runs]
    cost = ledger.model_cost(run_id, arm)
    return ArmResult(
        arm=arm,
        commit=winner,
        params=chosen.params if chosen else {},
        kind=proposal.kind if proposal else "",
        proposal_id=proposal.id if proposal else None,
        search_score=_mean(chosen.runs if chosen else _search_runs(rows, winner)),
        confirm_score=_mean(rows.runs(arm, "confirm")),
        gain=None if arm in UNTOUCHED else rows.difference(arm, "baseline"),
        seeds_left=0,
        standing=None,
        sealed_score=_mean(rows.runs(arm, "sealed")),
        sealed_gain=None if arm in UNTOUCHED else rows.difference(arm, "baseline", "sealed"),
        trials=len(searched),
        failures=dict(sorted(Counter(run.status for run in every_run if run.score is None).items())),
        refused=sum(p.arm == arm and p.commit is None for p in rows.proposals),
        device_seconds=device_seconds,
        lost_seconds=lost_seconds,
        search_seconds=sum(t.device_seconds for t in searched)
        + (_probes(ledger.run(run_id)) if arm == "edits" else 0.0),
        cpu_seconds=sum(run.cpu_seconds for t in rows.of(arm) for run in (*t.ladder, *t.runs)),
        dollars=cost.dollars,
        unpriced_calls=cost.unpriced_calls,
    )


def _variant_runs(record: RunRecord, rows: _Rows) -> dict[frozenset[int], Sequence[Run]]:
    """Runs on the confirm split of each subset of the winner's edits, whatever they were made for."""
    written = record.settings.get("attribution") or {}
    commits = {frozenset(v["units"]): v["commit"] for v in written.get("variants", ()) if v["commit"]}
    commits |= {frozenset[int](): record.commit, frozenset(range(len(written.get("units", ())))): written.get("commit")}
    by_commit: dict[str, dict[int, Run]] = {}
    for trial in rows.trials:
        if trial.phase in ("confirm", "attribute"):
            for run in trial.runs:
                by_commit.setdefault(trial.commit, {}).setdefault(run.seed, run)
    return {part: list(by_commit.get(commit or "", {}).values()) for part, commit in commits.items()}


def _guards(rows: _Rows, arm: Arm, record: RunRecord) -> tuple[Verdict, ...]:
    winner, guards = rows.winner(arm), recorded(record.settings)
    if not guards or winner is None or winner == rows.winner("baseline") or arm == "baseline":
        return ()
    known = [verdict for t in rows.trials if t.commit == winner for verdict in t.verdicts]
    return confirmed(guards, rows.runs(arm, "confirm"), rows.runs("baseline", "confirm"), known, rows.direction)


def _search_runs(rows: _Rows, commit: str | None) -> Sequence[Run]:
    """Runs of a commit on the search split that another arm made, such as the baseline's calibration."""
    by_seed = {
        run.seed: run
        for t in rows.trials
        if commit and t.commit == commit and t.phase in ("calibrate", "search") and t.arm != "rerun"
        for run in t.runs
    }
    return list(by_seed.values())


def _luckiest(searched: Sequence[Trial], direction: str) -> Trial | None:
    """The kept trial with the best mean; None when no rerun looked better than the untouched code's first runs."""
    sign = 1.0 if direction == "maximize" else -1.0
    kept = [(sign * mean, t) for t in searched if t.decision == "keep" and (mean := _mean(t.runs)) is not None]
    return max(kept, key=lambda pair: pair[0])[1] if kept else None


def _mean(runs: Sequence[Run]) -> float | None:
    values = [run.score.value for run in runs if run.score is not None]
    return fmean(values) if values else None

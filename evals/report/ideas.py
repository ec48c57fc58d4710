"""The report's middle: each kept edit with its diff, and everything that was tried and did not work."""

import shlex

from ..compare import Difference, EditGain
from ..naming import trial_title
from ..trial import ProposalRecord, Run, Trial
from . import numbers
from .curves import mean_score
from .diff import read_diff
from .facts import Facts
from .page import Branch, Crash, Table, table
from .results import places, words
from .text import one_line, tail

MOST_ROWS = 200
MOST_CRASHES = 50
MOST_FILES = 20


def branches(facts: Facts) -> tuple[Branch, ...]:
    """What was handed to the user as branches, in the order of their numbers."""
    kept = sorted((record for record in facts.proposals if record.branch), key=lambda record: record.branch or "")
    return tuple(_branch(facts, number, record) for number, record in enumerate(kept, start=1))


def _branch(facts: Facts, number: int, record: ProposalRecord) -> Branch:
    trial = next((t for t in facts.trials if t.proposal_id == record.id and t.phase == "search"), None)
    claimed = f"; claimed as {words(record.claimed_kind)}" if record.claimed_kind != record.kind else ""
    files = read_diff(record.diff)[:MOST_FILES]
    return Branch(
        number=number,
        title=record.title,
        kind=words(record.kind),
        origin=f"proposed by {record.proposer}, arm {record.arm}{claimed}",
        rationale=record.rationale,
        evidence=tuple((f"{file}:{line}", note) for file, line, note in record.evidence),
        numbers=_numbers(facts, record, trial),
        verdicts=tuple(f"{v.gate}: {'passed' if v.passed else 'not passed'}: {v.reason}" for v in trial.verdicts)
        if trial
        else (),
        diff=record.diff,
        files=files,
        branch=record.branch or "",
        commands=_merge_commands(facts, record),
    )


def _merge_commands(facts: Facts, record: ProposalRecord) -> tuple[str, ...]:
    branch = shlex.quote(one_line(record.branch or ""))
    base = shlex.quote(one_line(facts.comparison.run.commit)[:12])
    return f"git diff {base}...{branch}", f"git merge {branch}"


def _numbers(facts: Facts, record: ProposalRecord, trial: Trial | None) -> Table:
    """The edit against its parent on the search split, and against the untouched code where it was confirmed."""
    digits, rows = places(facts), []
    single = next((e for e in facts.comparison.edits if e.proposal_id == record.id), None)
    if single:
        rows.append(
            _difference_row(
                "alone, against its parent (search)", mean_score(trial) if trial else None, single.gain, digits
            )
        )
    elif trial:
        rows.append(
            ["search", numbers.score(mean_score(trial), digits), numbers.NONE, numbers.NONE, str(len(trial.runs))]
        )
    for arm in facts.comparison.arms:
        if arm.commit == record.commit and arm.gain:
            rows.append(
                _difference_row(
                    f"arm {arm.arm}, against the untouched code (confirm)", arm.confirm_score, arm.gain, digits
                )
            )
            if arm.sealed_gain:
                rows.append(_difference_row(f"arm {arm.arm} (sealed)", arm.sealed_score, arm.sealed_gain, digits))
    columns = [
        ("measured", "text"),
        ("score", "number"),
        ("gain", "number"),
        ("95 % interval", "number"),
        ("seeds", "number"),
    ]
    return table("Numbers of this branch", columns, rows)  # type: ignore[arg-type]


def _difference_row(what: str, score: float | None, gain: Difference, digits: int) -> list[str]:
    return [
        what,
        numbers.score(score, digits),
        numbers.signed(gain.mean, digits),
        numbers.interval(gain.low, gain.high, digits) + (" (tie)" if gain.tie and gain.low is not None else ""),
        str(gain.n),
    ]


def discarded(facts: Facts) -> Table:
    """Edits that ran to their end and were not kept. Settings a tuner tried are in the curves, not here."""
    gains = {e.trial_id: e for e in facts.comparison.edits}
    return table(
        "Edits that ran and were not kept",
        [("edit", "text"), ("kind", "text"), ("score", "number"), ("gain", "number"), ("why", "text")],
        [_discarded_row(facts, trial, gains.get(trial.id)) for trial in discarded_trials(facts)[:MOST_ROWS]],
    )


def discarded_trials(facts: Facts) -> list[Trial]:
    return [t for t in facts.trials if t.decision == "discard" and t.arm in ("edits", "review") and not t.taken_from]


def _discarded_row(facts: Facts, trial: Trial, single: EditGain | None) -> list[str]:
    digits = places(facts)
    record = facts.records.get(trial.proposal_id or "")
    why = "; ".join(f"{v.gate}: {v.reason}" for v in trial.verdicts if not v.passed)
    return [
        trial_title(trial, facts.records, facts.defaults),
        words(record.kind) if record else numbers.NONE,
        numbers.score(mean_score(trial), digits),
        numbers.signed(single.gain.mean, digits) if single else numbers.NONE,
        why or "not better than the code it started from",
    ]


def refused_records(facts: Facts) -> list[ProposalRecord]:
    return [record for record in facts.proposals if record.commit is None]


def refused(facts: Facts) -> Table:
    rows = [
        [r.title, words(r.kind), r.proposer, r.outcome.removeprefix("refused: ")]
        for r in refused_records(facts)[:MOST_ROWS]
    ]
    columns = [("edit", "text"), ("kind", "text"), ("proposed by", "text"), ("why", "text")]
    return table("Proposals that were refused before any compute was spent", columns, rows)  # type: ignore[arg-type]


def crashed_trials(facts: Facts) -> list[Trial]:
    return [t for t in facts.trials if t.decision == "crash" and not t.taken_from]


def crashes(facts: Facts) -> tuple[Crash, ...]:
    return tuple(_crash(facts, trial) for trial in crashed_trials(facts)[:MOST_CRASHES])


def _crash(facts: Facts, trial: Trial) -> Crash:
    failed: Run | None = next((run for run in trial.runs if run.score is None), None)
    where = f" at the {failed.rung} rung" if failed and failed.rung != "full" else ""
    reason = f"{words(failed.status)}{where}: {failed.reason}" if failed else "no run"
    title = trial_title(trial, facts.records, facts.defaults)
    return Crash(title, trial.arm, reason, tail(failed.log) if failed else "")


def omitted(facts: Facts) -> dict[str, int]:
    """How many rows the lists above left out, by what they are."""
    counts = {
        "edits that were not better": len(discarded_trials(facts)) - MOST_ROWS,
        "refused proposals": len(refused_records(facts)) - MOST_ROWS,
        "failed trials": len(crashed_trials(facts)) - MOST_CRASHES,
    }
    return {what: n for what, n in counts.items() if n > 0}

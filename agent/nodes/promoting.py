"""What fresh seeds upheld becomes branches: each winner whole, and its edits one by one, each commit with its claim.

A promoted commit is a new one: the same files as the commit that was measured, and a message that says what was. The
ledger knows both: a proposal's `commit` is the measured one, the setting `promoted` names the branch and its commit.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...evals.claim import Claim, Effect, SplitName, rounded, to_trailers
from ...evals.compare import Comparison, compare
from ...evals.difference import difference
from ...evals.trial import Arm, ProposalRecord
from ...evals.verdict import accepted
from ...targets.errors import OperatorError, TargetError, UsageError
from ..checks import CHECKS
from ..checks.base import Change
from ..events import Note, Promoted
from ..lab import Lab
from ..operators.apply import apply_edits
from ..records import edits_of
from ..stacking import paths_of
from .arms import winner_commit
from .steps import chain, steps

ARMS: tuple[Arm, ...] = ("edits", "edits+tuner", "tuner")
"""In the order their branches are numbered."""


@dataclass(frozen=True, slots=True)
class Final:
    """A branch to be: its commits' proposals, base first, and the name it gets."""

    title: str
    rows: tuple[ProposalRecord, ...]
    measured: str | None = None
    """The commit that was confirmed, which the branch must equal; None for a part of it."""


def promote(lab: Lab) -> list[str]:
    """Full names of the branches made. One that cannot be written is said, and its commit stays in our clone."""
    made: dict[str, str] = {}
    names: list[str] = []
    kept: list[dict[str, object]] = []
    taken: set[str] = set()
    for final in _finals(lab, compare(lab.journal.ledger, lab.run_id)):
        try:
            commit = _commit(lab, final)
        except OperatorError as error:
            lab.say(Note(f"no branch for {final.title}: {error}", "warning"))
            continue
        if commit in made:
            continue
        branch = made[commit] = f"branchlab/{lab.run_id}/{len(made) + 1:02d}-{_slug(final.title)}"
        try:
            names.append(lab.checkout.promote(commit, branch))
        except TargetError as error:  # the commit stays in our clone: nothing is lost
            lab.say(Note(str(error), "warning"))
            continue
        row = _row(lab, final, commit, taken)
        if row:
            taken.add(row.id)
            lab.journal.update(row.id, branch=branch)
        kept.append({"branch": branch, "commit": commit, "measured": row.commit if row else None,
                     "proposals": [part.id for part in final.rows]})  # fmt: skip
        lab.say(Promoted(final.title, branch))
    lab.journal.ledger.update_settings(lab.run_id, promoted=kept)
    return names


def _finals(lab: Lab, comparison: Comparison) -> Iterator[Final]:
    """The accepted winners, whole, then the edits of the edits arm's."""
    upheld = {arm.arm for arm in comparison.arms if accepted(arm)}
    winners = {arm: winner_commit(lab, arm) for arm in ARMS if arm in upheld}
    for arm, commit in winners.items():
        if rows := chain(lab, commit):
            title = rows[-1].title if len(rows) == 1 else f"{arm}: all {len(rows)} edits"
            yield Final(title, rows, commit)
    parts = steps(lab, winners["edits"]) if "edits" in winners else ()
    for path in paths_of(lab.code(lab.checkout.base).sources, [edits_of(part) for part in parts], _allowed(lab)):
        yield Final(parts[path[-1]].title, tuple(parts[i] for i in path))


def _allowed(lab: Lab) -> Callable[[Mapping[str, bytes]], bool]:
    """Whether changed files of the base pass every check: what only another edit makes possible cannot stand alone."""
    sources = lab.code(lab.checkout.base).sources

    def passes(after: Mapping[str, bytes]) -> bool:
        change = Change({f: sources.get(f) for f in after}, dict(after), {**sources, **after})
        return all(check.judge(lab.target, change).passed for check in CHECKS.values())

    return passes


def _commit(lab: Lab, final: Final) -> str:
    """The tip of the branch's commits, each on the one before it, the first on the base."""
    parent, sources = lab.checkout.base, dict(lab.code(lab.checkout.base).sources)
    for row in final.rows:
        changes = apply_edits(sources, edits_of(row))
        sources |= changes
        plain = _keep(lab, parent, changes, _message(row, ""))
        trailers = _trailers(lab, lab.checkout.tree_id(plain))
        parent = _keep(lab, parent, changes, _message(row, trailers)) if trailers else plain
    if final.measured and lab.checkout.tree_id(parent) != lab.checkout.tree_id(final.measured):
        lab.say(
            Note("the winner's edits, applied again, give other files: it is promoted as it was measured", "warning")
        )
        return final.measured
    return parent


def _keep(lab: Lab, parent: str, changes: Mapping[str, bytes], message: str) -> str:
    body = json.dumps([parent, message, {f: hashlib.sha256(d).hexdigest() for f, d in changes.items()}], sort_keys=True)
    name = hashlib.sha256(body.encode()).hexdigest()[:16]
    return lab.checkout.commit(parent, changes, message, f"refs/branchlab/{lab.run_id}/promoted/{name}")


def _message(row: ProposalRecord, trailers: str) -> str:
    # Its words are a stranger's: a line that looks like a trailer of ours is quoted, so that it is none.
    text = re.sub(r"(?im)^(?=[^\S\n]*branchlab-)", "> ", f"{row.title}\n\n{row.rationale}")
    return f"{text}\n\nKind: {row.kind}\nProposed-by: {row.proposer}\n{trailers}\n"


def _trailers(lab: Lab, tree: str) -> str:
    metric, base = lab.target.metric, lab.checkout.base
    try:
        return to_trailers(Claim(lab.target.name, base, tree, metric.name, metric.direction, _effect(lab, tree)))
    except UsageError as error:  # a metric whose name cannot stand on one line
        lab.say(Note(f"no claim is written: {error}", "warning"))
        return ""


def _effect(lab: Lab, tree: str) -> Effect | None:
    """What these very files were measured to gain over the base: on the confirm split, as winner or as one of its edits, else
    on the search split.

    None when they never ran, when a seed has no score, or when the runs give no interval: then nothing is claimed.
    """
    apart = lab.journal.ledger.run(lab.run_id).settings.get("attribution") or {}
    measured = {row.commit for row in lab.journal.proposals()} | {one["commit"] for one in apart.get("variants", ())}
    same = sorted(commit for commit in measured if commit and lab.checkout.tree_id(commit) == tree)
    splits: tuple[tuple[SplitName, Sequence[int]], ...] = (
        ("confirm", lab.confirm_seeds),
        ("confirm", apart.get("seeds", ())),
        ("search", lab.target.seeds.search),
    )
    for split, seeds in splits:
        theirs = lab.journal.runs(lab.checkout.base, seeds, split)
        for commit in same:
            mine = lab.journal.runs(commit, seeds, split)
            if split == "search" and any(lab.journal.runs(one, lab.confirm_seeds, "confirm") for one in same):
                return None  # fresh seeds have spoken, if not enough for a number: the search's is no answer any more
            if not seeds or len(mine) < len(seeds) or len(theirs) < len(seeds):
                continue
            if any(run.score is None for run in (*mine, *theirs)):
                continue
            gain = difference(mine, theirs, lab.target.metric.direction)
            if gain.mean is not None and gain.low is not None and gain.high is not None:
                mean, low, high = map(rounded, (gain.mean, gain.low, gain.high))
                return Effect(
                    mean, low, high, split, tuple(seeds), rounded(lab.options.budget_seconds * lab.options.jobs)
                )
    return None


def _row(lab: Lab, final: Final, commit: str, taken: set[str]) -> ProposalRecord | None:
    """The proposal to name the branch at: the one whose measured commit holds these files, else the tip's own."""
    tree = lab.checkout.tree_id(commit)
    rows = [row for row in lab.journal.proposals() if row.id not in taken]
    same = [row for row in rows if row.commit and row.edits and lab.checkout.tree_id(row.commit) == tree]
    chosen = [row for row in same if row.id == final.rows[-1].id] or same
    return next(iter(chosen or [row for row in rows if row.id == final.rows[-1].id]), None)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "edit"

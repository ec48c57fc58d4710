"""The same search again with other seeds: what `branchlab repeat` does."""

from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from ..evals.ledger import RESUMABLE, Ledger, RunRecord
from ..evals.repeats import family
from ..evals.report import write_report
from ..targets.errors import UsageError
from ..targets.find import find_target
from ..targets.state_folder import prepare_home
from .commands import existing_ledger, known_run
from .lab import Options
from .live import LiveView, make_view
from .session import NO_VERDICT, fingerprint, resume_run, start_run

FIRST_SEED = 500_000_000
"""Of the repeats' search seeds: far from those a target names, and from those of reruns."""


def repeat_run(prefix: str, home: Path, *, times: int, as_json: bool) -> int:
    """Makes so many repeats, an interrupted one first; 0, or the exit code of the one that did not reach its end.

    Raises: UsageError when the run is no search, has not ended, or its target.toml has changed since.
    """
    home = prepare_home(home)
    ledger = existing_ledger(home)
    named = ledger.run(known_run(ledger, prefix))
    root = ledger.run(str(named.settings.get("repeat_of") or named.id))
    if "review" in root.settings["arms"]:
        raise UsageError(f"{root.id} is a review", fix="name a run of `branchlab run`")
    if root.status in RESUMABLE:
        raise UsageError(f"{root.id} has not ended", fix=f"branchlab run --resume {root.id}")
    for _ in range(times):
        with make_view(json=as_json) as view:
            code = _one(ledger, root, home, view)
        if code not in (0, NO_VERDICT):
            return code
    for member in family(ledger, root.id):
        write_report(ledger, member.id, home / "runs" / member.id)
    return 0


def _one(ledger: Ledger, root: RunRecord, home: Path, view: LiveView) -> int:
    members = family(ledger, root.id)
    for member in members[1:]:
        if member.status in RESUMABLE:
            return resume_run(member.id, home, view)[0]
    ref = root.settings["target_ref"]
    target = find_target(ref, home)
    if fingerprint(target) != root.settings["target_sha256"]:
        raise UsageError(
            "target.toml has changed since the first search", where=str(target.home), fix="start a new run"
        )
    number = 1 + max(int(member.settings.get("repeat") or 0) for member in members)
    taken = {*target.seeds.search, *target.seeds.confirm}
    fresh = (seed for seed in count(FIRST_SEED + 1000 * number) if seed not in taken)
    first = Options.stored(root.settings["options"])
    options = replace(
        first,
        seed=first.seed + number,
        commit=root.commit,
        search_seeds=tuple(islice(fresh, len(target.seeds.search))),
        repeat_of=root.id,
        repeat=number,
    )
    return start_run(ref, options, home, view)[0]
